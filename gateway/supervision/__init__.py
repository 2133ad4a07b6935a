"""The rules of community correction, pure: lifecycle, deadlines, sealing."""
