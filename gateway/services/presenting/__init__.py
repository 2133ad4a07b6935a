"""Somebody asks a person to show something, and is told exactly that."""
