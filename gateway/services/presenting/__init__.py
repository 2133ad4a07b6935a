"""Showing as use cases: a verifier asks, a wallet answers, the result is fetched once."""
