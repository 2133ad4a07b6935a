"""OpenID for Verifiable Credential Issuance 1.0: messages read and made, nothing kept and nobody asked."""
