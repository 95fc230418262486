"""Django's migrations: each runs one step of the tables in ``taskkit_relational``."""
