"""The endpoints of OpenID4VP 1.0, and what partners and clerks create requests with."""
