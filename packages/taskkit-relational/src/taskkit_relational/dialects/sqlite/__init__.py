"""The statements of SQLite."""
