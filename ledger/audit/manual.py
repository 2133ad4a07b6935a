"""What `--help` says: Chinese first, English beside."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "": """\
核验一门的防篡改日志。不依赖一门本身，只需要 Python 与 cryptography。
Check the tamper-evident log of yimen without yimen: Python and cryptography are all it takes.

  audit URL|目录      下载全部条目，重算整棵树，核对签名、联署、哈希块与上次的状态
                      download all entries, rebuild the tree, check signatures, cosignatures, tiles and the last state
  prove URL|目录 序号  取得一个条目的离线证明          the offline proof of one entry
  verify 文件         离线验证证明、证据包             verify a proof or an evidence bundle offline
  checkpoint URL|目录  显示一个检查点                   show a checkpoint

退出码 · exit codes
  0 无误 fine   1 发现问题 something is wrong   2 用法有误 usage   3 未能核验 could not be checked

信任什么 · what is believed
  只信策略文件（tlog-policy）里的公钥。日志公钥与五家见证机构的公钥，应分别向各机构当面取得，而不是向运营方取得。
  Only the keys in the policy file. Get the log's key and the five witnesses' keys from each agency itself, not from the
  operator.
""",
    "audit": """\
下载并核验一个日志。URL 是日志的地址（其下有 checkpoint 与 tile/）；也可以是镜像目录。
Download and check a log. URL is the log's address (checkpoint and tile/ are below it), or a directory that mirrors it.

默认读取全部条目：旧条目若在仓库里被改动，只有重读才能发现。--new 只读上次之后的条目，并证明它们接续上次的日志。
By default all entries are read: an old entry that was changed where it lies is found in no other way. --new reads only
what came after the last run, and shows that it continues the log of that run.

状态文件只在核验无误（退出码 0）后整体更新；请把它放在运营方够不到的地方。它旁边的 FILE.leaves 同样需要保留。
The state is replaced as a whole, and only after a run that found nothing (exit code 0). Keep it, and FILE.leaves beside it,
where the operator cannot reach it.

--also 可多次给出：见证方的查询地址、另一名审计员的状态文件、一个检查点文件。
--also may be given often: a witness's monitoring address, another auditor's state file, a checkpoint in a file.

每年一个新日志，首条写明接在上一日志的哪里。首次核验新日志时用 --previous 给出上一日志的状态文件或地址；策略里要保留上一日志的公钥。
Every year a new log begins, and its first entry says after what. At its first audit, give the state or the address of the
log before with --previous, and leave that log's key in the policy.

例 · for example
  python -m ledger audit https://yimen.example/ledger/2026 --policy agencies.policy --state 2026.state \\
      --also https://witness.jcy.example --also police-auditor.state
""",
    "prove": """\
取得一个条目的 .tlog-proof(C2SP tlog-proof)。--entry-out 同时存下条目本身。
Get the .tlog-proof of one entry (C2SP tlog-proof). --entry-out keeps the entry itself, which verifying takes.
""",
    "verify": """\
离线验证。FILE 是 .tlog-proof（另给 --entry 或 --receipt）、证据包（.json 或 .html），或 audit 写下的证据文件（exhibit）。
Verify offline. FILE is a .tlog-proof (with --entry or --receipt), an evidence bundle (.json or .html), or an exhibit that audit wrote.
""",
    "checkpoint": """\
显示日志现在的检查点；给出策略则同时核对签名。
Show the log's present checkpoint; with a policy, check its signatures too.
""",
}

OPTIONS: Mapping[str, str] = {
    "where": "日志的 URL 或镜像目录 · the log's URL, or a directory that mirrors it",
    "index": "条目序号，从 0 起 · the entry's index, from 0",
    "file": "要验证的文件 · the file to verify",
    "policy": "策略文件，tlog-policy 格式 · the policy, in tlog-policy form",
    "log_vkey": "不用策略文件时：日志公钥 · without a policy file: the log's key",
    "witness_vkey": "不用策略文件时：一个见证方的公钥 · without a policy file: a witness's key",
    "quorum": "其中须有几个联署（默认全部）· how many of them must have cosigned (all)",
    "ca": "本单位 CA 证书（PEM）· certificates of your own CA (PEM)",
    "state": "两次核验之间保存的状态 · what is kept between runs",
    "full": "读取全部条目（默认）· read all entries (the default)",
    "new": "只读上次之后的条目 · read only what came after the last run",
    "also": "他方所见的检查点 · a checkpoint others were shown",
    "previous": "上一日志（上一年度）的状态文件或地址 · the state or address of the log before this one (of last year)",
    "exhibit": "发现问题时，签名证据写到哪里 · where signed proof goes when something is wrong",
    "entries": "逐条列出所读条目：序号、时间、类别、机构 · list each entry read: index, time, kind, body",
    "json": "以 JSON 输出 · JSON output",
    "quiet": "无误时不输出 · say nothing when all is well",
    "out": "证明写到哪里（默认标准输出）· where the proof goes (standard output)",
    "entry_out": "条目写到哪里 · where the entry goes",
    "entry": "条目：文件名，或条目文本本身 · the entry: a file, or the text itself",
    "answer": "当时收到的答复 · the answer that was received then",
    "receipt": "记有对方回执的证据包：核对 FILE（对方日志的证明）证明的正是其中一张回执 · evidence that keeps another yimen's receipt:"
    " FILE, a proof from that one's log, must be of it",
}
