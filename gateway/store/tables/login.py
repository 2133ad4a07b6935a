"""What officers log in with, their sessions, and how often somebody tried."""

from __future__ import annotations
