"""Settings of a Django project with taskkit, on the database that ``PEER_URL`` names."""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

if find_spec("MySQLdb") is None:
    import pymysql

    pymysql.install_as_MySQLdb()

_parts = urlsplit(os.environ["PEER_URL"])

SECRET_KEY = "of the benchmarks"  # noqa: S105 - nobody else's
USE_TZ = True
INSTALLED_APPS = ["taskkit_django"]
TASKKIT = {"GROUPS": {"bench": 8}, "AUTODISCOVER": None, "PLUGINS": []}
DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{'mysql' if _parts.scheme == 'mysql' else 'postgresql'}",
        "HOST": _parts.hostname,
        "PORT": _parts.port,
        "USER": _parts.username,
        "PASSWORD": _parts.password or "",
        "NAME": _parts.path[1:],
    }
}
