"""OpenID for Verifiable Presentations 1.0: requests made, answers checked, nothing kept and nobody asked."""
