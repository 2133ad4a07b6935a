"""Consents as append-only events, their use, and the links and codes a person answers with."""

from __future__ import annotations
