"""What a check of the ledger found, and how the ledger is doing, in words for an operator: Chinese first."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.services.ledger.faults import Fault, Finding

FAULTS: Mapping[Fault, str] = {
    Fault.MISSING_ENTRY: "条目缺失 entries are missing",
    Fault.EXTRA_ENTRY: "条目多出，不在已提交的树中 an entry that no tree was committed with",
    Fault.EDITED_ENTRY: "条目内容被改动 the entry's bytes were edited",
    Fault.EDITED_LEAF_HASH: "条目旁的哈希被改动，条目本身无误 the hash beside the entry was edited, the entry is right",
    Fault.DOUBLED_ENTRY: "条目重复（首次与末次）the same entry twice, first and last given",
    Fault.REORDERED_ENTRIES: "两条目互换了位置 these two entries stand in each other's place",
    Fault.REWRITTEN_ENTRIES: "此范围内有条目与已签名的不符 in this range, entries are not those that were signed",
    Fault.NOT_AN_ENTRY: "不是条目格式 not in the form of an entry",
    Fault.LOST_TILE: "瓦片缺失 a tile is missing",
    Fault.SWAPPED_TILE: "瓦片与条目不符 a tile holds other hashes than its entries make",
    Fault.ROLLED_BACK: "日志小于已签名的检查点（是否恢复了旧备份？）"
    "the log is smaller than what was signed; was an old backup restored?",
    Fault.EDITED_HEAD: "分片的大小、前沿或根被改动 size, frontier or root of the shard was edited",
    Fault.REWRITTEN_ROOT: "检查点旁的根被改动 the root beside a checkpoint was edited",
    Fault.BROKEN_CHAIN: "首条未写明前一分片的检查点 its first entry does not name what was signed of the shard before",
    Fault.BAD_CHECKPOINT: "检查点不是本日志所签 no checkpoint that this log signed",
    Fault.SPLIT_VIEW: "本方密钥签过另一棵树：密钥可能外泄 our key signed another tree: it may be stolen",
    Fault.BAD_COSIGNATURE: "见证签名无效 a witness's signature does not verify",
    Fault.UNSEALED: "标为已封存，但按现行见证清单不足法定数 marked sealed, and not so by today's policy",
    Fault.EDITED_RECORD: "记录与其条目的承诺不符 the record is not what its entry committed to",
    Fault.LOST_RECORD: "条目的记录已不存在 the record of this entry is gone",
    Fault.UNLOGGED_RECORD: "记录从未进入日志 a record that never came into the log",
    Fault.MIRROR_DIFFERS: "与镜像不同 the mirror has something else here",
    Fault.MIRROR_AHEAD: "镜像多于本库（且有本方签名）：数据已丢失 the mirror has more, signed by us: data was lost",
    Fault.MIRROR_UNREADABLE: "镜像不可读 the mirror cannot be read",
}

HALTED: Mapping[str, str] = {
    "WITNESS_AHEAD": "见证方持有更大的检查点（是否恢复了旧备份？）a witness holds a larger tree; was an old backup restored?",
    "TREE_DIFFERS": "树与已签名或见证所见不同 the tree is not what was signed or witnessed",
    "SPLIT": "同一大小签过两个根 two roots were signed for one size",
    "ENTRY_DOUBLED": "同一条目要写入两次 an entry was to be written twice",
    "STORE_DAMAGED": "启动检查发现数据库被改动 the check at start found the database changed",
}

HALTED_VIEW = (
    "日志已停止，下列见证状态是停止前的；谁领先、领先多少，见 the log is halted, so the witnesses below are as they were "
    "before; who is ahead, and by how much: yimen ledger exhibits"
)
ASK_BEGIN = (
    "当前日志将永久封闭，不可恢复。确认没有更新的备份后，输入 begin\n"
    "The log is closed for good as it is. Make sure there is no newer backup, then type begin:"
)
ASK_RETIRE = (
    "未登记新公钥的见证方将不再见证。确认各方均已登记后，输入 retire\n"
    "Witnesses that were not told of the new key will not cosign. Once all were, type retire:"
)

WITNESS: Mapping[str, str] = {
    "UNREACHABLE": "联系不上 not reachable",
    "FAILING": "内部出错 fails by itself",
    "GARBAGE": "应答无法识别 answers garbage",
    "CLAIMS_AHEAD": "声称领先却不出示证据 claims to be ahead and shows nothing",
    "FORGOT": "忘记了它签过的 forgot what it cosigned",
    "REJECTED": "不认可请求格式 rejects the request",
    "NOT_TRUSTED": "未登记本日志的密钥 was not told of our key",
    "UNKNOWN_ORIGIN": "未登记本日志 was not told of our log",
    "CONFLICT": "大小冲突 remembers another size",
    "REFUSED": "拒绝见证 refuses",
}


def told(finding: Finding) -> str:
    """One line."""
    if finding.index is None:
        where = ""
    elif finding.last in (None, finding.index):
        where = f"第 {finding.index} 条 entry {finding.index}"
    else:
        where = f"第 {finding.index}-{finding.last} 条 entries {finding.index} to {finding.last}"
    facts = " ".join(one for one in (finding.shard, where, finding.entry_id or "", finding.about) if one)
    mark = "错误 ERROR" if finding.grave else "注意 NOTE"
    return f"{mark}  {finding.fault}  {facts}\n    {FAULTS[finding.fault]}"
