"""The authorization server (FAPI 2.0)."""
