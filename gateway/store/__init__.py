"""The only SQLAlchemy; implements every port, on SQLite and PostgreSQL."""
