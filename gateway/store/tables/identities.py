"""Organisations, officers, posts, case assignments, devices, and the phones of enrolled persons."""

from __future__ import annotations
