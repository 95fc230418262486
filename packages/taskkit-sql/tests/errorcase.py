"""How the tests of errors provoke them, and how they are told then."""

from __future__ import annotations

import psycopg
import pymysql
import pytest
from servercase import connector, opened

from taskkit.errors import Unavailable

PASSWORD = "open sesame's"


def failing(action, *arguments):
    """Return the driver's error that an action ends with."""
    with pytest.raises((psycopg.Error, pymysql.MySQLError)) as caught:
        action(*arguments)
    return caught.value


def text_of(url):
    return url.render_as_string(hide_password=False)


def refused(url):
    """Return how the error of a first connection is told."""
    server = connector(text_of(url))
    with pytest.raises(server.errors) as caught, opened(server):
        pass
    assert not server.is_conflict(caught.value)
    error = server.translate(caught.value)
    assert isinstance(error, Unavailable)
    for secret in (PASSWORD, PASSWORD.replace(" ", "%20"), "sesame"):
        assert secret not in str(error)
    return str(error)
