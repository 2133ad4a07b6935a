"""The officer the bench asks as: a token of an hour, and a new proof for every request."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.people import persons
from bench.questions import CASE
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.clock import SystemClock
from gateway.oauth.access_token import LONGEST_LIFETIME_S
from gateway.oauth.jose import PrivateKey, access_token_hash
from gateway.oauth.nonce import Nonces
from gateway.oauth.ports import Grant
from gateway.oauth.terms import SCOPE
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry

_ORG = "cc-correction-agency"
_CLAIMS = {
    "kind": "OFFICER", "org_id": _ORG, "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "roles": ["CASE_OFFICER"],
    "posts": [], "purposes": ["CC_RECEPTION"], "level": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asker:
    """`headers()` are good for one request."""

    url: str
    token: str
    key: PrivateKey
    nonces: Nonces

    def headers(self) -> Mapping[str, str]:
        claims = {
            "htm": "POST", "htu": self.url, "iat": int(time.time()), "jti": secrets.token_urlsafe(16),
            "ath": access_token_hash(self.token), "nonce": self.nonces.current(),
        }  # fmt: skip
        jwk = {name: self.key.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        return {"authorization": f"DPoP {self.token}", "dpop": self.key.sign({"typ": "dpop+jwt", "jwk": jwk}, claims)}


async def asker(environ: Mapping[str, str]) -> Asker:
    """For a gateway that is started with `environ` afterwards: every person asked for is in the officer's care."""
    settings, clock = Settings.load(environ, None), SystemClock()
    store = await open_store(settings, clock)
    try:
        await _in_care(store)
        url, key = f"{settings.base_url}/graphql", PrivateKey.generate()
        grant = Grant(secrets.token_hex(16), "bench", "officer-bench", frozenset({SCOPE}), (), _CLAIMS)
        issued = await oauth_parts(settings, store, clock).tokens.issue(
            grant, audience=url, cnf={"jkt": key.public.thumbprint}, lifetime_s=LONGEST_LIFETIME_S
        )
        return Asker(url, issued.token, key, Nonces(store.keys.derive("dpop-nonce/graphql/v1"), clock))
    finally:
        await store.close()


async def _in_care(store: Store) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    subjects = await store.subjects.intern([person["idNo"] for person in persons()])
    await store.cases.declare([PartyEntry(CASE, _ORG, Part.SUPERVISING, since)])
    await store.cases.declare([CaseEntry(CASE, subject_id) for subject_id in subjects])
