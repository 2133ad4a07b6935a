"""The endpoints of OpenID4VCI 1.0, and what describes the issuer."""
