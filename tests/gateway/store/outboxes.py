"""An outbox as tests make it, where no store stands behind."""

from __future__ import annotations

from gateway.store.recording.outbox import Outbox
from gateway.store.subject_keys.ring import SubjectKeys
from gateway.store.subject_keys.tree import Cover, new_tree


def make_outbox() -> Outbox:
    return Outbox(
        SubjectKeys(Cover(new_tree())), bytes(32), lambda subject_id, org: f"{subject_id}@{org}", alert_delay_s=0
    )
