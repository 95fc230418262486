"""Tasks on Django's own connections."""
