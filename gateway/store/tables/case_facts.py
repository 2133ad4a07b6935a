"""Facts policy decides on: case links, relationships, seals, monitoring orders, break-glass grants."""

from __future__ import annotations
