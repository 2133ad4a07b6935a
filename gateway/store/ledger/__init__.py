"""The ledger's side of the store: what is appended with its business write, and how it is sequenced and read."""
