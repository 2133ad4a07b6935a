"""Signing keys of the authorization server, and what may be used once (assertion and proof ids)."""

from __future__ import annotations
