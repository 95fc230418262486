"""Tests that are the same on every kind of database."""

import pytest

everywhere = pytest.mark.parametrize("place", ["sqlite", "postgres", "mariadb"], indirect=True)
on_servers = pytest.mark.parametrize("place", ["postgres", "mariadb"], indirect=True)
