"""W3C Verifiable Credentials 2.0 secured with JOSE (VC-JOSE-COSE): the JWT's payload is the credential itself.

Its status is the Token Status List of our other credentials, named twice: by `status`, which the list's standard reads in any
JWT, and by `credentialStatus`, for readers who know the data model alone. A Bitstring list beside it would have to say the same
of the same credential with the bits the other way round, and sooner or later would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from credentials.jose import Signer, dumps, sign

TYP = "vc+jwt"
CONTEXT = "https://www.w3.org/ns/credentials/v2"
STATUS_TYPE = "TokenStatusListEntry"


def issue(
    signer: Signer,
    *,
    issuer: str,
    type: str,
    schema: str,
    subject: Mapping[str, Any],
    valid_from: datetime,
    valid_until: datetime,
    status_uri: str,
    status_index: int,
    cnf: Mapping[str, Any],
    name: Mapping[str, str],
) -> str:
    """The compact JWS. `schema`: the address of the type's metadata; `subject` with the holder's `id`; `name`: by language.

    Nothing is selectively disclosed in it: whoever is shown it sees all of it.
    """
    credential = {
        "@context": [CONTEXT, {"@vocab": schema + "#"}],
        "type": ["VerifiableCredential", type],
        "issuer": issuer,
        "name": [{"@value": text, "@language": language} for language, text in name.items()],
        "validFrom": _instant(valid_from),
        "validUntil": _instant(valid_until),
        "credentialSubject": dict(subject),
        "credentialStatus": {
            "id": f"{status_uri}#{status_index}",
            "type": STATUS_TYPE,
            "statusListIndex": str(status_index),
            "statusListCredential": status_uri,
        },
        # The registered claims of JWTs beside it, for whoever reads those (VC-JOSE-COSE, 3.1.3).
        "iss": issuer,
        "iat": int(valid_from.timestamp()),
        "nbf": int(valid_from.timestamp()),
        "exp": int(valid_until.timestamp()),
        "cnf": {"jwk": dict(cnf)},
        "status": {"status_list": {"idx": status_index, "uri": status_uri}},
    }
    header: dict[str, Any] = {"typ": TYP, "cty": "vc", "kid": signer.kid}
    if signer.x5c:
        header["x5c"] = list(signer.x5c)
    return sign(signer, header, dumps(credential))


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
