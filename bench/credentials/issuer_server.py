"""`python -m bench.credentials.issuer_server PORT FOLDER [DATABASE_URL]`: our issuer with facts prefetched and no witnesses.

The store, the ledger's outbox, the keys, the status lists, the token endpoint and the endpoints of OpenID4VCI are the real
ones; only the departments are not there: each question is answered at once with the same ten claims. The first line it
writes is a JSON object: `issuer`, and the `links` of offers to redeem, each for another person.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from credentials.credential_type import ClaimType, CredentialType, Disclosed, Text
from credentials.type_files import load_types
from demo.people import everyone
from gateway.bootstrap.authorization import authorization
from gateway.bootstrap.credential_issuance import issuing_room
from gateway.bootstrap.credential_offers import offer_room
from gateway.bootstrap.credential_status import key_room
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.clock import SystemClock
from gateway.policy.purposes import read_register
from gateway.services.credentials.ports import Acting, FactSource, FactsState, Fetched, OfferOrigin
from gateway.services.execute import Execute
from gateway.services.ledger.seals import Unsealed
from gateway.settings import Settings
from gateway.store import open_store
from gateway.web.app import build_app
from gateway.web.logs import configure_logging
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings

TYPE = "residence"
PERSONS = 200
"""Nobody has thousands of documents, so many share the load."""
CLAIMS = {f"claim{number}": f"value of claim {number}" for number in range(10)}
_ACTING = Acting("bench-agency", "CORRECTION_AGENCY", "440604", "(2026)粤0604刑初123号")


class Prefetched:
    """Implements `FetchFacts`: ten claims, always the same."""

    async def __call__(self, subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        source = FactSource("residence", "BENCH", datetime.now(UTC))
        return Fetched(FactsState.READY, CLAIMS, (source,), receipt_id="0193c0de-0000-7000-8000-000000000001")


def ten_claims(kind: CredentialType) -> CredentialType:
    """A type of the product with ten claims, all of them the holder's to disclose."""
    claims = tuple(ClaimType(name, Text(name, name), Disclosed.ALLOWED) for name in CLAIMS)
    return replace(kind, claims=claims)


async def serve(port: int, folder: Path, database_url: str | None, nobody: Execute) -> None:
    configure_logging()
    listener = bind("127.0.0.1", port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings(
        database_url=database_url or f"sqlite:///{folder}/yimen.db", master_key=os.urandom(32), demo=True,
        state_dir=folder, public_url=url,
    )  # fmt: skip
    clock = SystemClock()
    store = await open_store(settings, clock)
    async with key_room(settings, store, clock) as keys:
        types = {TYPE: ten_claims(load_types()[TYPE])}
        offers = offer_room(settings, store, store.inbox, Unsealed(), clock, lambda: [TYPE])
        room = issuing_room(
            settings, store, clock, ring=keys.rings.issuer, types=types, status=keys.lists, offers=offers,
            facts=Prefetched(), seals=Unsealed(), messages=store.inbox,
        )  # fmt: skip
        parts = oauth_parts(settings, store, clock)
        server = authorization(store, clock, settings, parts, read_register, room.codes)
        pages = [*server.routes, *room.routes, *keys.routes]
        app = build_app(
            execute=nobody, authenticate=parts.authenticate, settings=WebSettings(base_url=url), pages=pages
        )
        offered = [
            await offers.offer(
                acting=_ACTING, actor_user="bench", origin=OfferOrigin.OFFICER, subject_id=subject_id,
                configuration_ids=[TYPE],
            )
            for subject_id in await store.subjects.intern([person.id_no for person in everyone(1)[:PERSONS]])
        ]  # fmt: skip
        print(json.dumps({"issuer": url, "links": [one.link for one in offered]}), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is logged from here on is made and goes nowhere
        await server_for(app).serve(sockets=[listener])
    await store.close()


class _Nobody:
    """No question about data is asked here."""

    async def __call__(self, caller: object, request: object) -> object:
        raise NotImplementedError

    def subscribe(self, caller: object, request: object) -> object:
        raise NotImplementedError


if __name__ == "__main__":
    _port, _folder, *_more = sys.argv[1:]
    uvloop.run(serve(int(_port), Path(_folder), _more[0] if _more else None, _Nobody()))  # type: ignore[arg-type]  # never asked
