"""How anyone can check what was done, without us."""
