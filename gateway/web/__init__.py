"""Doors: HTTP, pages, and the words errors leave in."""
