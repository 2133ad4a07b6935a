"""Which source answers which field, and asking them in batches."""
