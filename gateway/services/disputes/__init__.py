"""A person says that a fact about them is wrong: readers see it, a clock runs, somebody answers."""
