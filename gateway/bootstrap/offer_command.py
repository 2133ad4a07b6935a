"""`yimen offers create | show | list | cancel`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import segno

from adapters.identity import fold_name
from credentials.credential_type import split_configuration
from gateway.bootstrap.credential_offers import plain_offers
from gateway.bootstrap.database import opened_store
from gateway.bootstrap.offer_desk import OfferDesk, offer_desk, operator_for
from gateway.bootstrap.person_named import subject_of, typed_id_no
from gateway.clock import CIVIL, SystemClock
from gateway.errors import GatewayError, RequestRefused
from gateway.policy.public_rules import NO_GROUND
from gateway.services.credentials.ports import Offer, OfferOrigin, OfferState
from gateway.services.identities import OPERATOR, OPERATOR_ORG
from gateway.settings import Settings

_STEPS = {
    "CREATED": "已生成 made", "SENT": "已发送 sent", "OPENED": "链接已打开 opened", "CODE_WRONG": "领取码输错 wrong code",
    "REDEEMED": "已领取 redeemed", "DEFERRED": "等待来源 deferred", "ISSUED": "已签发 issued",
    "STORED": "钱包已保存 stored", "FAILED": "未能签发或保存 failed", "DELETED": "已从钱包删除 deleted",
    "BURNT": "领取码错误过多，已作废 burnt", "CANCELLED": "已撤回 cancelled",
}  # fmt: skip


async def create_offer(settings: Settings, given: argparse.Namespace) -> int:
    """Prints what must reach the person; it is told once. Raises RequestRefused."""
    check_wishes(given)
    text = typed_id_no(given.person)
    async with offer_desk(settings) as desk:
        subject_id = await subject_of(desk.store, text)
        acting = await desk.acting(subject_id, given.org, given.case)
        types = list(dict.fromkeys(split_configuration(one)[0] for one in given.credential))
        await desk.may_offer(operator_for(acting), subject_id, types, acting.case_no)
        await _check_name(desk, subject_id, given.name)
        made = await desk.room.offer(
            acting=acting, actor_user=OPERATOR, origin=OfferOrigin.OFFICER, subject_id=subject_id,
            configuration_ids=given.credential, flow=given.flow, tx_code=given.tx_code, send=given.send,
            send_tx_code=given.send_code,
        )  # fmt: skip
    print(f"邀请 offer: {made.offer.offer_id}")
    print(f"有效期至 open until: {_when(made.offer.expires_at)}")
    print(f"领取链接 link: {made.link}")
    print(f"其他钱包 other wallets: {made.other_link}")
    if made.tx_code is not None:
        print(f"领取码 code: {made.tx_code}  （勿与链接同发 never together with the link）")
    if given.send:
        print("已发送 sent" if made.sent else "未能发送，请改用链接或二维码 not sent: use the link or a QR code")
    if given.qr is not None:
        save_qr(made.link, given.qr)
        print(f"二维码 QR: {given.qr}")
    return 0 if made.sent or not given.send else 1


async def show_offer(settings: Settings, offer_id: str) -> int:
    async with opened_store(settings) as store:
        offers = plain_offers(store, SystemClock())
        found = await offers.find(offer_id)
        if found is None:
            raise RequestRefused("NOT_FOUND", "there is no such offer")
        moments = await offers.timeline(offer_id)
    print(offer_line(found))
    print(f"  机构 body: {found.acting.org_id}  案件 case: {found.acting.case_no or '-'}  经办 by: {found.actor_user}")
    for moment in moments:
        print(f"  {_when(moment.at)}  {_STEPS.get(moment.kind, moment.kind)}")
    return 0


async def list_offers(settings: Settings, org: str | None, person: str | None, most: int) -> int:
    async with opened_store(settings) as store:
        offers = plain_offers(store, SystemClock())
        if person is not None:
            found: Sequence[Offer] = await offers.of_person(await subject_of(store, typed_id_no(person)))
        else:
            found = await offers.recent(org, most)
    for one in found:
        if org is None or one.acting.org_id == org:
            print(offer_line(one))
    return 0


async def cancel_offer(settings: Settings, offer_id: str) -> int:
    async with opened_store(settings) as store:
        done = await plain_offers(store, SystemClock()).cancel(offer_id, actor_org=OPERATOR_ORG, actor_user=OPERATOR)
    print("已撤回 cancelled" if done else "没有可撤回的邀请 there is no open offer of this id")
    return 0 if done else 1


def check_wishes(given: argparse.Namespace) -> None:
    """What cannot be together. Raises RequestRefused."""
    if getattr(given, "send_code", False) and not (given.tx_code and given.send):
        raise RequestRefused("CODE_NOT_SENT", "--send-code goes with --tx-code and --send")


def offer_line(one: Offer) -> str:
    past = one.state is OfferState.OPEN and one.expires_at <= SystemClock().now()
    state = "EXPIRED" if past else one.state.value
    return f"{one.offer_id}  {_when(one.created_at)}  {','.join(one.configuration_ids)}  {state}  {one.origin.value}"


def save_qr(link: str, path: Path) -> None:
    """Of the link for the browser wallet, which any camera opens. Raises RequestRefused."""
    code = segno.make(link, error="m")
    try:
        if path.suffix == ".txt":
            with path.open("w", encoding="utf-8") as file:
                code.terminal(file, compact=True)
        else:
            code.save(str(path), scale=8 if path.suffix == ".png" else 4)
    except (OSError, ValueError):
        raise RequestRefused("QR_NOT_SAVED", f"{path}: cannot be written as a QR code (.svg, .png or .txt)") from None


async def _check_name(desk: OfferDesk, subject_id: str, name: str | None) -> None:
    """After policy allowed it: a wrong name is told like somebody nobody knows."""
    if name is None:
        return
    try:
        known = await desk.store.subjects.reveal(subject_id)
    except GatewayError:
        known = None
    if known is None or fold_name(known.name) != fold_name(name):
        raise RequestRefused(NO_GROUND.code)


def _when(at: datetime) -> str:
    return f"{at.astimezone(CIVIL):%Y-%m-%d %H:%M:%S}"
