"""What may be asked: the GraphQL types, and nothing that fetches."""
