"""How a fact becomes something a wallet can carry, and how it dies."""
