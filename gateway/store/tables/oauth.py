"""The authorization server's tables: clients, pushed requests, codes, grants, refresh tokens."""

from __future__ import annotations
