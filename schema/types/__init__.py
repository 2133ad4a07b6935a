"""The canonical nouns, one per file (domain-brief, section 3)."""
