"""What is good once, asked for by several at the same moment: one gets it, and where that smells of theft nobody keeps it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.hostile.attacker import Attacker, Token
from tests.hostile.wire import Answer, Request

pytestmark = pytest.mark.anyio
AT_ONCE = 8


async def all_at_once(attacker: Attacker, requests: list[Request]) -> list[Answer]:
    answers = await asyncio.gather(*(attacker.send(one) for one in requests))
    assert all(one.status < 500 for one in answers), answers
    return list(answers)


def counted(answers: list[Answer]) -> Counter[tuple[int, str]]:
    return Counter((one.status, one.told) for one in answers)


async def test_one_code_at_once_is_one_token_and_then_a_dead_grant(attacker: Attacker) -> None:
    code = await attacker.code()
    answers = await all_at_once(attacker, [attacker.redeem(code) for _ in range(AT_ONCE)])
    good = [one for one in answers if one.status == 200]
    # One at most, and in practice none: the second ends the grant while the first is on its way to a token. That is the
    # order we want: a code in two hands is stolen, and a token that is dead on arrival would only look like success.
    assert len(good) <= 1
    assert all((one.status, one.told) == (400, "invalid_grant") for one in answers if one.status != 200)
    if good:
        token = Token(good[0].json["access_token"], attacker.dpop, good[0].json["refresh_token"])
        answer = await attacker.send(attacker.ask(token))
        assert (answer.status, answer.told) == (401, "invalid_token")
        answer = await attacker.send(attacker.renew(token.refresh))
        assert (answer.status, answer.told) == (400, "invalid_grant")


async def test_one_rotated_refresh_token_at_once_is_one_heir_and_then_a_dead_grant(attacker: Attacker) -> None:
    token = await attacker.officer("other-desk")
    requests = [attacker.renew(token.refresh, "other-desk") for _ in range(AT_ONCE)]
    answers = await all_at_once(attacker, requests)
    good = [one for one in answers if one.status == 200]
    assert len(good) <= 1
    for one in good:
        answer = await attacker.send(attacker.renew(one.json["refresh_token"], "other-desk"))
        assert (answer.status, answer.told) == (400, "invalid_grant")
    answer = await attacker.send(attacker.ask(token))
    assert (answer.status, answer.told) == (401, "invalid_token")


async def test_one_assertion_at_once_is_good_once(attacker: Attacker) -> None:
    assertion = attacker.assertion()
    answers = await all_at_once(attacker, [attacker.token(assertion=assertion) for _ in range(AT_ONCE)])
    assert counted(answers) == {(200, ""): 1, (401, "invalid_client"): AT_ONCE - 1}


async def test_one_proof_at_once_is_good_once(attacker: Attacker) -> None:
    proof = attacker.proof("/oauth/token")
    answers = await all_at_once(attacker, [attacker.token(proof=proof) for _ in range(AT_ONCE)])
    assert counted(answers) == {(200, ""): 1, (400, "invalid_dpop_proof"): AT_ONCE - 1}


async def test_one_question_at_once_is_answered_once(attacker: Attacker) -> None:
    made = attacker.ask(await attacker.officer())
    answers = await all_at_once(attacker, [made] * AT_ONCE)
    assert Counter(one.status for one in answers) == {200: 1, 401: AT_ONCE - 1}


async def test_one_initial_token_at_once_is_one_client(attacker: Attacker) -> None:
    initial = await attacker.invited()
    answers = await all_at_once(attacker, [attacker.register(initial, attacker.proposed()) for _ in range(AT_ONCE)])
    assert counted(answers) == {(201, ""): 1, (401, "invalid_token"): AT_ONCE - 1}


async def test_a_yes_sent_twice_at_once_is_one_code(attacker: Attacker) -> None:
    request_uri = await attacker.pushed()

    async def yes() -> str:
        try:
            return await attacker.decided(request_uri)
        except AssertionError:
            return ""  # the page says that it was answered

    backs = await asyncio.gather(*(yes() for _ in range(4)))
    assert sum("code=" in one for one in backs) == 1
    assert all(f"iss={attacker.url.replace(':', '%3A').replace('/', '%2F')}" in one for one in backs if one)


async def test_whatever_comes_back_to_the_client_names_who_sent_it(attacker: Attacker) -> None:
    """`iss`, against mix-up: in success and in refusal (RFC 9207)."""
    for decision, word in (("approve", "code="), ("deny", "error=access_denied")):
        back = await attacker.decided(await attacker.pushed(), decision=decision)
        assert word in back
        assert back.startswith("https://desk.example/callback?")
        assert back.count("iss=") == back.count("state=st") == 1


async def test_nothing_beside_the_request_uri_is_believed(attacker: Attacker) -> None:
    """Parameters in the browser's URL change nothing of what was pushed (RFC 9126, section 4)."""
    request_uri = await attacker.pushed()
    asked = attacker.authorize(
        request_uri, redirect_uri="https://evil.example/", scope="graphql admin", state="evil", response_type="token",
        code_challenge="A" * 43, code_challenge_method="plain",
    )  # fmt: skip
    answer = await attacker.send(asked)
    assert answer.status == 303
    assert "evil" not in answer.headers["location"]
    assert answer.headers["location"].startswith("/login?")
    assert "state=st" in await attacker.decided(request_uri)
