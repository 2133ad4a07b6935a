"""Budgets and counters of partner clients, shared by all replicas."""

from __future__ import annotations
