"""Decisions: who may see what, for which purpose."""
