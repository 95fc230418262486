"""A Django project around one application, on the database of a peer (see ``peer.py``).

The driver of MariaDB is mysqlclient where that is installed, else PyMySQL.
"""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

import django
from django.conf import settings
from peer import url


def configure(*apps: str, **options: object) -> None:
    """Set Django up, once a process."""
    if settings.configured:
        return
    if find_spec("MySQLdb") is None:
        import pymysql

        pymysql.install_as_MySQLdb()
    parts = urlsplit(url())
    database = {
        "ENGINE": f"django.db.backends.{'mysql' if parts.scheme == 'mysql' else 'postgresql'}",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "NAME": parts.path[1:],
    }
    settings.configure(
        DATABASES={"default": database}, INSTALLED_APPS=list(apps), USE_TZ=True, **options
    )
    django.setup()
