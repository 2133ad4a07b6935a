"""What the ledger commits to: each record in one form, made with its row and made again from it years later."""
