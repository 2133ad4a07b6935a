"""What a person agreed to, and its receipt."""
