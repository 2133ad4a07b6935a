"""`yimen policy diff | replay | list | show | propose | approve`: what changed, what would, and the two who decide it."""

from __future__ import annotations

from pathlib import Path

from gateway.bootstrap.ledger import seals_of, witness_policy
from gateway.bootstrap.policy_sets import examples_of, find, of_its_day, opened, rules_of, texts_in
from gateway.clock import SystemClock
from gateway.errors import RequestRefused, SettingsInvalid
from gateway.policy.compare import compare, replay
from gateway.policy.examples import failing, read_examples
from gateway.policy.ruleset import EXAMPLES
from gateway.policy.words import KINDS
from gateway.services.identities import OfficerRecord
from gateway.store import Store

OWNER, APPROVER = "POLICY_OWNER", "POLICY_APPROVER"
_SEALED = "已由见证方共同见证 · witnessed by a quorum"
_FOLLOWS = "记录已保存,见证随后补上 · the record is kept; its witnesses follow"


async def diff(old: str, new: str, most: int) -> int:
    """Who would gain or lose what, over the latest recorded requests."""
    async with opened() as (store, settings):
        before, after = await find(old, store, settings), await find(new, store, settings)
        requests = await store.policies.decided(most)
        moved = await compare(before, after, requests)
        for name in sorted(after.rules.keys() - before.rules.keys()):
            print(f"新增规则 · new rule: {name} {after.rules[name].title[0]} · {after.rules[name].title[1]}")
        for name in sorted(before.rules.keys() - after.rules.keys()):
            print(f"删去规则 · rule gone: {name} {before.rules[name].title[0]} · {before.rules[name].title[1]}")
        for name in sorted(before.rules.keys() & after.rules.keys()):
            if before.rules[name].text != after.rules[name].text:
                print(f"修改规则 · rule changed: {name} {after.rules[name].title[0]} · {after.rules[name].title[1]}")
        print(f"对照最近 {len(requests)} 次查询 · over the latest {len(requests)} recorded requests:")
        for one in moved:
            zh, en = KINDS.get(one.kind, (one.kind, one.kind))
            verb_zh, verb_en = ("将可查询", "would gain") if one.gained else ("将不能查询", "would lose")
            print(
                f"{'+' if one.gained else '-'} {zh}为 {one.purpose} {verb_zh} {one.item}:{one.requests} 次 · "
                f"a {en} for {one.purpose} {verb_en} {one.item}: {one.requests} requests ({', '.join(one.rules)})"
            )
        if not moved:
            print("没有任何查询的结果会改变 · no request would be answered otherwise")
    return 0


async def replay_event(event_id: str) -> int:
    """0 where the rules of that day still give what was given."""
    async with opened() as (store, _settings):
        decided, rules = await of_its_day(event_id, store)
        again = await replay(rules, decided)
    print(f"版本 · version {decided.policy_version[:16]}  {decided.at:%Y-%m-%d %H:%M:%S} UTC  {decided.purpose}")
    print(f"当时提供 · given then: {', '.join(sorted(again.then)) or '-'}")
    print(f"重新判定 · given again: {', '.join(sorted(again.now)) or '-'}")
    print(f"规则 · rules: {', '.join(again.rules)}")
    print("一致 · the same" if again.same else "不一致 · NOT the same")
    return 0 if again.same else 1


async def list_sets() -> int:
    async with opened() as (store, _settings):
        proposals = await store.policies.proposals()
        versions = await store.policies.versions()
    in_force = max((one.turn for one in proposals if one.turn is not None), default=None)
    print("提议 · proposals" if proposals else "没有提议,随附规则有效 · no proposals; the shipped rules are in force")
    for one in proposals:
        state = "有效 · in force" if one.turn is not None and one.turn == in_force else "曾有效 · was in force"
        if one.approved_at is None:
            state = "待批准 · waiting"
        print(f"  {one.id}  {one.proposed_at:%Y-%m-%d %H:%M} UTC  {state}")
        print(f"    提出 · proposed by {one.proposed_by}  批准 · approved by {one.approved_by or '-'}")
    print("曾作出决定的版本 · versions that decided")
    for version, since in versions:
        print(f"  {version[:16]}  {since:%Y-%m-%d %H:%M}")
    return 0


async def show(name: str, *, whole: bool) -> int:
    async with opened() as (store, settings):
        rules = await find(name, store, settings)
    print(f"版本 · version {rules.version}")
    for rule in rules.rules.values():
        if whole:
            print(f"\n// {rule.place}\n{rule.text}")
        else:
            verb = "准许 · permits" if rule.permits else "禁止 · forbids"
            print(f"{rule.id:28} {verb:14} {rule.title[0]} · {rule.title[1]}\n{'':28} {rule.basis}")
    return 0


async def propose(directory: Path, by: str) -> int:
    """Only sound rules that bear out their examples are put forward."""
    texts = texts_in(directory)
    async with opened() as (store, settings):
        officer = await _officer(store, by, OWNER)
        manifests = settings.manifests_dir if settings.manifests_dir.is_dir() else None
        rules = rules_of(texts, manifests)
        examples = examples_of(directory)
        if examples is None:
            raise SettingsInvalid((f"{directory}: rules are put forward with their {EXAMPLES}",))
        wrong = await failing(rules, read_examples(examples, EXAMPLES))
        if wrong:
            raise SettingsInvalid(tuple(f"{EXAMPLES}: example {one.number}: {said}" for one, said in wrong))
        proposal = await store.policies.propose(texts, by=officer.user_id, org=officer.org_id)
    print(
        f"已提出,待另一人批准 · proposed; somebody else approves it with:\n  yimen policy approve {proposal} --by LOGIN"
    )
    return 0


async def approve(proposal: str, by: str) -> int:
    version = ""  # as answers and `policy list` name it: of the rules together with what applications bring
    async with opened() as (store, settings):
        officer = await _officer(store, by, APPROVER)
        texts = await store.policies.proposed(proposal)
        if texts is not None:  # what was sound when it was put forward may not fit what has joined since
            version = rules_of(texts, settings.manifests_dir if settings.manifests_dir.is_dir() else None).version
        seals = seals_of(settings, store, witness_policy(settings), SystemClock())
        await seals.allow()
        await store.policies.approve(proposal, by=officer.user_id, org=officer.org_id)
        sealed = await seals.sealed(proposal)
    print(f"已批准,各副本将在下一次重新载入时生效 · approved; in force at every replica's next reload: {version[:16]}")
    if sealed is not None:
        print(_SEALED if sealed else _FOLLOWS)
    return 0


async def _officer(store: Store, login: str, role: str) -> OfficerRecord:
    officer = await store.identities.officer_by_login(login)
    if officer is None or not officer.active or role not in officer.roles:
        raise RequestRefused("POLICY_ROLE_MISSING", f"there is no active officer of this login with the role {role}")
    return officer
