"""One file per use case; the order of things lives here and reads aloud."""
