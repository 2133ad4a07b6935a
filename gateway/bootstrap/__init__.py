"""Composition root: the one place that knows which real thing stands where."""
