"""Versions of the sharing rules and their approvals."""

from __future__ import annotations
