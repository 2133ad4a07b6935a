"""What a person reads: Chinese first, English beside. Nothing here repeats anything of a record."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.audit.findings import Fault, Outcome

Both = tuple[str, str]

NAMES: Mapping[Fault, Both] = {
    Fault.EDITED_ENTRY: ("条目被改", "edited entry"),
    Fault.DELETED_ENTRY: ("条目被删", "deleted entry"),
    Fault.INSERTED_ENTRY: ("插入条目", "inserted entry"),
    Fault.BAD_BUNDLE: ("条目包损坏", "bad bundle"),
    Fault.BAD_ENTRY: ("条目不合格式", "no valid entry"),
    Fault.SWAPPED_TILE: ("哈希块被换", "swapped tile"),
    Fault.LOST_ENTRIES: ("条目缺失", "lost entries"),
    Fault.LOST_TILE: ("哈希块缺失", "lost tile"),
    Fault.TREE_DIFFERS: ("整树与签名不符", "tree differs from what was signed"),
    Fault.REWRITTEN_HISTORY: ("历史被改写", "rewritten history"),
    Fault.ROLLED_BACK: ("日志回退", "rolled back"),
    Fault.SPLIT_VIEW: ("对外两套账", "split view"),
    Fault.NOT_PROVEN: ("无法证明", "not proven"),
    Fault.BAD_CHECKPOINT: ("检查点不合格式", "malformed checkpoint"),
    Fault.BAD_SIGNATURE: ("签名无效", "bad signature"),
    Fault.MISSING_COSIGNATURES: ("见证联署不足", "missing cosignatures"),
    Fault.UNREACHABLE: ("无法读取", "unreachable"),
    Fault.NO_CHECKPOINT: ("没有检查点", "no checkpoint"),
    Fault.STATE_DAMAGED: ("状态文件损坏", "damaged state"),
    Fault.STATE_OF_ANOTHER_LOG: ("状态属于另一日志", "state of another log"),
    Fault.STATE_NOT_WRITTEN: ("状态未能保存", "state not kept"),
    Fault.OTHER_UNREADABLE: ("他方检查点不可用", "other checkpoint unusable"),
    Fault.OTHER_UNCOMPARED: ("他方检查点无法比对", "other checkpoint not compared"),
    Fault.BROKEN_CHAIN: ("与上一日志不衔接", "does not continue the log before"),
    Fault.PREVIOUS_UNCOMPARED: ("上一日志无法比对", "log before not compared"),
    Fault.PREVIOUS_UNCHECKED: ("上一日志未核对", "log before not checked"),
    Fault.TIME_BACKWARDS: ("时间倒退", "time goes backwards"),
    Fault.TIME_AHEAD: ("时间超前", "time ahead of the clock"),
}
"""What each finding is called."""

SAYS: Mapping[Fault, Both] = {
    Fault.EDITED_ENTRY: (
        "{about} 中的条目与签名所承诺的哈希不符。",
        "the entry in {about} is not the one whose hash was signed.",
    ),
    Fault.DELETED_ENTRY: (
        "{about} 中少了这一条，其后的条目前移。",
        "this entry is gone from {about}; what follows moved up.",
    ),
    Fault.INSERTED_ENTRY: (
        "{about} 中多出这一条，其后的条目后移。",
        "an entry was put into {about}; what follows moved down.",
    ),
    Fault.BAD_BUNDLE: ("{about} 从这一条起无法按格式读出。", "{about} cannot be read as entries from here on."),
    Fault.BAD_ENTRY: (
        "内容不是本日志规定的条目（共 {count} 条）；哈希与签名相符，即日志自己收录了它。",
        "not an entry of the agreed form ({count} in all); hash and signature fit, so the log itself took it in.",
    ),
    Fault.SWAPPED_TILE: (
        "哈希块 {about} 与条目及签名不符；条目本身未见改动。",
        "the hash tile {about} fits neither the entries nor the signed root; the entries themselves are as they were.",
    ),
    Fault.LOST_ENTRIES: ("签过名的条目已取不到：{about}。", "entries that were signed are not to be had: {about}."),
    Fault.LOST_TILE: ("签过名的哈希块已取不到：{about}。", "a hash tile that was signed is not to be had: {about}."),
    Fault.TREE_DIFFERS: (
        "由条目重算的根与检查点的根不同，条目与哈希块却彼此一致：内容在签名之后被整体改过。没有上次的状态文件，无法指出是哪一条。",
        "the root rebuilt from the entries is not the one in the checkpoint, though entries and tiles agree with each other: "
        "they were changed after signing. Without a state of an earlier run nobody can say which entry.",
    ),
    Fault.REWRITTEN_HISTORY: (
        "与上次核验时不同，而且新的检查点由日志密钥签名：签名的历史被改写。两份签名已存为证据。",
        "not what it was at the last audit, and the log's key signed the new checkpoint: signed history was rewritten. "
        "Both signed notes are kept as proof.",
    ),
    Fault.ROLLED_BACK: (
        "日志比上次核验时小，这些条目不再被承认。若刚从备份恢复，也必须由运营方说明。",
        "the log is smaller than at the last audit; these entries are no longer acknowledged. A restored backup would be a "
        "reason, and no excuse.",
    ),
    Fault.SPLIT_VIEW: (
        "日志给我们和 {about} 的是两套不能同时为真的账。两份签名已存为证据。",
        "the log showed us and {about} two histories that cannot both be true. Both signed notes are kept as proof.",
    ),
    Fault.NOT_PROVEN: (
        "条目、哈希块与签名的根对不上（{about}）；请运行 audit 查明是哪一处。",
        "entry, tiles and signed root do not fit together ({about}); audit tells which of them is at fault.",
    ),
    Fault.BAD_CHECKPOINT: ("{about}", "{about}"),
    Fault.BAD_SIGNATURE: ("检查点不可信：{about}。", "the checkpoint cannot be believed: {about}."),
    Fault.MISSING_COSIGNATURES: (
        "只有 {count} 个见证方联署，不满足策略；缺：{about}。",
        "only {count} witnesses cosigned, which the policy does not take for enough; missing: {about}.",
    ),
    Fault.UNREACHABLE: (
        "读取失败，什么也没有认定：{about}。请稍后再试。",
        "could not be read, so nothing was established: {about}. Try again.",
    ),
    Fault.NO_CHECKPOINT: (
        "该地址没有 checkpoint；日志地址到年份为止，如 …/ledger/2026（镜像目录也是）。",
        "there is no checkpoint at this address; the log's ends with the year, as …/ledger/2026 (a mirror's, too).",
    ),
    Fault.STATE_DAMAGED: (
        "{about}。文件未被改动；请用副本，或另用一个新的 --state 文件从头核验。",
        "{about}. It was left as it is; use a copy of it, or begin anew with another --state file.",
    ),
    Fault.STATE_OF_ANOTHER_LOG: (
        "状态文件属于 {about}；每个日志各用一个。",
        "the state is of {about}; use one for each log.",
    ),
    Fault.STATE_NOT_WRITTEN: (
        "核验无误，但状态未能保存：{about}。",
        "all is well, but the state could not be kept: {about}.",
    ),
    Fault.OTHER_UNREADABLE: ("{about}", "{about}"),
    Fault.OTHER_UNCOMPARED: (
        "本日志现在给出的文件不足以与 {about} 比对：可能是滞后的副本，也可能在向我们隐瞒条目。请稍后对在线日志再查；若持续如此，按两套账处理。",
        "what the log serves now does not reach far enough to compare it with {about}: a copy that lags, or a log that hides "
        "entries from us. Audit the live log again later; if it stays so, treat it as a split view.",
    ),
    Fault.BROKEN_CHAIN: (
        "本日志首条没有接在上一日志（{about}）的末尾：两者之间的历史可能被丢弃，运营方必须说明。",
        "its first entry does not continue the log before it ({about}): history may have been dropped between the two, and the "
        "operator must answer for it.",
    ),
    Fault.PREVIOUS_UNCOMPARED: (
        "首条说接在上一日志的 {count} 条之后，而凭 {about} 无法比对：请先把上一日志核验到末尾，或用 --previous 给出它的地址。",
        "it says it follows {count} entries of the log before, which {about} cannot tell: audit the log before to its end "
        "first, or give its address with --previous.",
    ),
    Fault.PREVIOUS_UNCHECKED: (
        "首条说接在日志 {about} 的 {count} 条之后；没有核对。请用 --previous 给出那个日志的状态文件或地址。",
        "it says it follows {count} entries of the log {about}; that was not checked. Give that log's state or address with "
        "--previous.",
    ),
    Fault.TIME_BACKWARDS: (
        "有 {count} 条的时间比前面的条目早一天以上；请运营方说明（时钟、恢复）。",
        "{count} entries are more than a day earlier than ones before them; ask the operator why (clocks, restores).",
    ),
    Fault.TIME_AHEAD: ("时间比本机时钟晚一天以上。", "the time is more than a day ahead of this machine's clock."),
}
"""One sentence for each finding; `about` and `count` are filled in."""

OUTCOMES: Mapping[Outcome, Both] = {
    Outcome.FINE: ("核验通过", "everything that was checked is right"),
    Outcome.TAMPERED: ("发现问题", "something is wrong"),
    Outcome.USAGE: ("用法有误", "used in a way that makes no sense"),
    Outcome.UNCHECKED: ("未能完成核验", "could not be checked"),
}

LINES: Mapping[str, Both] = {
    "entry": ("第 {first} 条", "entry {first}"),
    "one_of": ("第 {first} 至 {last} 条之间", "somewhere in entries {first} to {last}"),
    "range": ("第 {first} 至 {last} 条", "entries {first} to {last}"),
    "log": ("日志", "the log"),
    "checked": (
        "日志 {origin}，{size} 条；本次读取 {read} 条，用时 {seconds} 秒。",
        "log {origin}, {size} entries; {read} read in this run, in {seconds} s.",
    ),
    "witnesses": ("联署的见证方：{witnesses}", "cosigned by: {witnesses}"),
    "before": (
        "上次核验到 {before} 条，与本次一致。",
        "the last audit saw {before} entries; today's log continues it.",
    ),
    "previous": (
        "已核对：接续日志 {origin} 的 {size} 条。",
        "checked: it continues the log {origin} after {size} entries.",
    ),
    "new_only": (
        "旧条目按 --new 未重读：只有全部重读才能发现仓库里旧条目的改动。",
        "as --new asks, old entries were not read again: only reading all of them shows an old entry changed where it lies.",
    ),
    "others": ("与 {others} 份他方检查点比对一致。", "in agreement with {others} checkpoints others were shown."),
    "kept": ("状态已保存，下次从此处继续。", "the state was kept for the next run."),
    "not_kept": ("状态文件未改动。", "the state was left as it was."),
    "exhibit": ("证据文件：{path}", "exhibit: {path}"),
    "exhibit_not_written": ("证据文件未能写入：{path}", "the exhibit could not be written: {path}"),
    "more": ("另有 {count} 处未列出。", "{count} more are not listed."),
    "proof_written": (
        "第 {index} 条的证明已写入 {path}；路径已核对，签名未按策略核对。",
        "the proof of entry {index} is in {path}; its path was checked, its signatures were not held against a policy.",
    ),
    "proof_verified": (
        "第 {index} 条的证明已写入 {path}；路径、签名与联署均已核对。",
        "the proof of entry {index} is in {path}; path, signatures and cosignatures were checked.",
    ),
    "bad_file": ("文件不能证明任何事：{reason}。", "this file proves nothing: {reason}."),
    "proves_included": (
        "证明：该条目是日志 {origin} 的第 {index} 条（当时共 {size} 条），由日志签名。",
        "proves: this is entry {index} of the log {origin}, which held {size} entries and signed so.",
    ),
    "proves_witnessed": ("证明：见证方联署：{witnesses}。", "proves: witnesses cosigned it: {witnesses}."),
    "proves_entry": (
        "条目说的是：{time}，{actor}，类别 {kind}。",
        "the entry says: {time}, {actor}, kind {kind}.",
    ),
    "proves_record": (
        "证明：所附记录就是当时承诺的那一份，一字未改。",
        "proves: the record in the file is the one committed to then, to the letter.",
    ),
    "proves_disclosed": (
        "证明：公开的部分与承诺一致：{parts}。",
        "proves: the parts shown are those committed to: {parts}.",
    ),
    "proves_answer": ("证明：所给的答复就是记录中的答复。", "proves: the answer given is the one recorded."),
    "not_blind": ("不显示：仍被遮盖的部分：{parts}。", "does not show: parts that stay blinded: {parts}."),
    "not_answer": (
        "不证明：答复的内容（未给出答复文件）。",
        "does not prove: what the answer said (no answer was given to check).",
    ),
    "not_truth": (
        "不证明：记录所述属实，只证明当时这样记录、此后未改。",
        "does not prove: that what was recorded is true; only that it was recorded so then, and not changed since.",
    ),
    "not_record": (
        "不证明：条目所承诺的记录内容（需要证据包）。",
        "does not prove: what the record behind the entry says (that takes an evidence bundle).",
    ),
    "not_page": (
        "注意：网页上的文字没有核对，被证明的是下面的记录；有出入时以记录为准。",
        "mind: the words on the page were not checked; the record below is what is proven, and it decides.",
    ),
    "own_keys": (
        "注意：没有给出策略，用的是文件自带的公钥，不足为凭。请向各机构取得公钥，用 --policy 再验。",
        "mind: no policy was given; the keys came from the file itself and prove nothing about who signed. Get the keys from "
        "the agencies and verify again with --policy.",
    ),
    "exhibit_signed": ("{name}：由日志签名，{size} 条。", "{name}: signed by the log, {size} entries."),
    "exhibit_proves": (
        "证明：日志为同样多的条目签署了两个不同的根（{one} 与 {two}）；凭这两份签名即可认定，无需其他材料。",
        "proves: the log signed two roots for the same number of entries ({one} and {two}); these two signatures alone show it.",
    ),
    "exhibit_alone": (
        "仅凭这些签名还不能认定矛盾（条数不同）；须连同日志的哈希块比对，请对在线日志或其镜像再运行 audit --also。",
        "these signatures alone do not contradict each other (their sizes differ): compare them by the log's tiles, with "
        "audit --also on the live log or a mirror of it.",
    ),
    "checkpoint": ("日志 {origin}，{size} 条，根 {root}", "log {origin}, {size} entries, root {root}"),
    "signed_by": ("签名行：{names}", "signature lines: {names}"),
    "unverified": ("签名未核对（没有给出策略）。", "signatures were not verified (no policy was given)."),
    "satisfied": ("签名与联署满足策略。", "signatures and cosignatures satisfy the policy."),
    "needs_policy": ("需要 --policy，或 --log-vkey。", "a --policy is needed, or --log-vkey."),
    "needs_entry": (
        "验证 .tlog-proof 需要 --entry 或 --receipt。",
        "a .tlog-proof needs --entry or --receipt to be verified.",
    ),
    "proves_receipt": (
        "证明：我方记录 {ours} 中保存的“{source}”回执 {id}，确是对方日志的条目。",
        "proves: the receipt {id} of {source}, kept in our record {ours}, is that entry of the other log.",
    ),
    "receipt_alone": (
        "不证明：我方记录本身在我方日志里（请用我方公钥另行核验该证据包）。",
        "does not prove: that our record is in our own log (verify that evidence by itself, with our keys).",
    ),
    "bad_option": ("{option}：{reason}", "{option}: {reason}"),
    "stopped": ("已中止；什么也没有认定。", "stopped; nothing was established."),
}
"""Everything else that is said."""


def both(text: Both, **values: object) -> str:
    """Two lines."""
    return "\n".join(one.format(**values) for one in text)
