"""The statements of PostgreSQL."""
