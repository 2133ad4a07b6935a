"""In and out: the entrance, the page behind a link, the code."""

from __future__ import annotations

from gateway.consent.persons import CODE_DIGITS, CODE_TRIES
from gateway.services.person_door import Opened
from gateway.web.me_visit import PersonVisit
from gateway.web.network import network_of
from gateway.web.problems import Refusal, Reply
from gateway.web.visit import see_other


async def home(visit: PersonVisit) -> Reply:
    """`GET /me`: what a person may do here, or the way in."""
    if await visit.desk.door.person(visit.session) is None:
        return visit.page("me_enter.html")
    if visit.wallet is not None:  # a wallet waits for this person's word
        return see_other("/me/wallet")
    return visit.page("me_home.html")


async def ask_for_link(visit: PersonVisit) -> Reply:
    """`POST /me/link`: the same answer whoever it is; what happens to it happens afterwards."""
    form = await visit.form()
    network = network_of(visit.scope, visit.desk.trusted_proxies)
    visit.desk.door.ask_for_link(form.get("id_no", ""), form.get("phone", ""), network)
    return see_other("/me/sent")


async def sent(visit: PersonVisit) -> Reply:
    """`GET /me/sent`."""
    return visit.page("me_sent.html")


async def link(visit: PersonVisit) -> Reply:
    """`GET /me/l/{token}`. Looking changes nothing: programs that open links before people do spend nothing."""
    token = visit.part("token")
    found = await visit.desk.door.link(token)
    if found is None:
        raise Refusal("LINK_DEAD")
    inside = await visit.desk.door.person(visit.session)
    if inside is not None and inside.subject_id == found.subject_id:
        return see_other(_goal(found.consent_id))
    return visit.page(
        "me_link.html",
        token=token,
        known=await visit.desk.door.knows(found, visit.device),
        sent="sent" in visit.asked,
        wrong="wrong" in visit.asked,
        too_many="many" in visit.asked,
        may_remember=visit.desk.device.max_age_s != 0,
        digits=CODE_DIGITS,
        tries=CODE_TRIES,
    )


async def send_code(visit: PersonVisit) -> Reply:
    """`POST /me/l/{token}/code`."""
    await visit.form()
    token = visit.part("token")
    if await visit.desk.door.link(token) is None:
        raise Refusal("LINK_DEAD")
    sent = await visit.desk.door.send_code(token)
    return see_other(f"/me/l/{token}?{'sent' if sent else 'many'}=1")


async def open_link(visit: PersonVisit) -> Reply:
    """`POST /me/l/{token}/open`: with the code, or on a device that is known."""
    form = await visit.form()
    token, door = visit.part("token"), visit.desk.door
    opened: Opened | None
    if "code" in form:
        code = "".join(form["code"].split())
        opened = await door.open_with_code(token, code, remember=form.get("remember") == "yes")
    else:
        opened = await door.open_with_device(token, visit.device)
    if opened is None:
        if await door.link(token) is None:
            raise Refusal("LINK_DEAD")
        return see_other(f"/me/l/{token}?sent=1&wrong=1")
    # What the browser carried before it was let in proves nothing afterwards: a new form secret comes with the next page.
    cookies = [visit.desk.session.set(opened.session), visit.desk.visit.clear()]
    if opened.device is not None:
        cookies.append(visit.desk.device.set(opened.device))
    return see_other(_goal(opened.consent_id), cookies)


async def leave(visit: PersonVisit) -> Reply:
    """`POST /me/leave`."""
    await visit.form()
    await visit.desk.door.leave(visit.session, visit.device)
    cleared = [cookie.clear() for cookie in (visit.desk.session, visit.desk.device, visit.desk.visit)]
    return see_other("/me", cleared)


def _goal(consent_id: str | None) -> str:
    return "/me" if consent_id is None else f"/me/consents/{consent_id}"
