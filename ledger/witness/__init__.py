"""A witness of logs: says that it has seen a tree, and never that it has seen two that do not fit. Source: C2SP tlog-witness.

Standard library and cryptography only. It sees checkpoints, which are a name, a number and a hash; no entry, no record.
"""
