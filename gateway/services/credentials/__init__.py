"""Credentials as use cases: offered, issued, followed, ended."""
