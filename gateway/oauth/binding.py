"""What a token is bound to: the key that signed a DPoP proof for this very request, or the client's TLS certificate."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.oauth.client import Client
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.errors import InvalidClient
from gateway.oauth.incoming import Incoming
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.ports import ReplaySet


@dataclass(frozen=True, slots=True)
class Binding:
    """`jkt`: thumbprint of the DPoP key; `x5t_s256`: of the certificate. `next_nonce` goes out with the answer."""

    jkt: str | None = None
    x5t_s256: str | None = None
    next_nonce: str | None = None

    @property
    def token_type(self) -> str:
        return "DPoP" if self.jkt is not None else "Bearer"

    @property
    def cnf(self) -> dict[str, str]:
        """The confirmation claim (RFC 7800)."""
        found = {"jkt": self.jkt, "x5t#S256": self.x5t_s256}
        return {name: value for name, value in found.items() if value is not None}


class Binder:
    """Binds what a request asks for. There is no token without a binding."""

    def __init__(self, proofs: DpopProofs, certificates: ClientCertificates) -> None:
        self._proofs, self._certificates = proofs, certificates

    async def __call__(self, incoming: Incoming, client: Client, replay: ReplaySet) -> Binding:
        """Raises OAuthError invalid_dpop_proof or use_dpop_nonce, InvalidClient."""
        if client.tls_client_certificate_bound_access_tokens:
            found = self._certificates.read(self._certificates.header_of(incoming.headers))
            if found is None:
                raise InvalidClient
            return Binding(x5t_s256=found.thumbprint)
        return await self._by_proof(incoming, replay)

    async def if_any(self, incoming: Incoming, replay: ReplaySet) -> Binding:
        """For PAR, where a proof is welcome and not needed (RFC 9449, section 10.1)."""
        return Binding() if incoming.dpop is None else await self._by_proof(incoming, replay)

    @property
    def nonce(self) -> str | None:
        """What goes out with every refusal, so that the next try can succeed."""
        return self._proofs.nonce

    async def _by_proof(self, incoming: Incoming, replay: ReplaySet) -> Binding:
        proof = await self._proofs.accept(incoming.dpop, replay, method=incoming.method, path=incoming.path)
        return Binding(jkt=proof.thumbprint, next_nonce=proof.next_nonce)
