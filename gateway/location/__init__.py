"""Device location: a room with one door. Nothing that answers partners, scores or statistics may import it."""
