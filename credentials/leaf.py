"""The names in an issuer's certificate (RFC 5280 4.2.1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509

from credentials.errors import ChainInvalid


@dataclass(frozen=True, slots=True)
class Leaf:
    """`hosts`: DNS names and addresses it stands for, lower case."""

    organisation: str
    hosts: frozenset[str]
    uris: frozenset[str]

    def speaks_for(self, uri: str) -> bool:
        """Whether it is this very URI's, or its host's. No wildcards: an issuer is one host."""
        if uri in self.uris:
            return True
        try:
            host = urlsplit(uri).hostname
        except ValueError:
            return False
        return host is not None and host.lower() in self.hosts


def leaf_of(der: bytes) -> Leaf:
    """Raises ChainInvalid for what is no certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
        names = names or certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        organisation = str(names[0].value) if names else ""
        try:
            san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return Leaf(organisation, frozenset(), frozenset())
        hosts = [name.lower() for name in san.get_values_for_type(x509.DNSName)]
        hosts += [str(address) for address in san.get_values_for_type(x509.IPAddress)]
        return Leaf(organisation, frozenset(hosts), frozenset(san.get_values_for_type(x509.UniformResourceIdentifier)))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ChainInvalid("form") from None
