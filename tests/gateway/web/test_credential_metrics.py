"""Credentials on the page of figures: by type and by outcome, of nobody."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, generate_latest

from gateway.services.credentials.follow_the_fact import Looked
from gateway.web.credential_metrics import CredentialMetrics


def test_what_grows_is_shown_as_it_stands() -> None:
    errands, looked, registry = Counter[str](), Counter[Looked](), CollectorRegistry()
    registry.register(CredentialMetrics(errands, looked))
    assert b"yimen_errands_avoided_total{" not in generate_latest(registry)
    errands.update(["residence", "residence", "business"])
    looked.update([Looked.SAME, Looked.LATER])
    said = generate_latest(registry).decode()
    assert 'yimen_errands_avoided_total{type="residence"} 2.0' in said
    assert 'yimen_errands_avoided_total{type="business"} 1.0' in said
    assert 'yimen_credential_looks_total{outcome="LATER"} 1.0' in said
