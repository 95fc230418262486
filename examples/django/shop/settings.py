"""Settings of the shop: what taskkit needs is at the end."""

import os
from pathlib import Path
from urllib.parse import urlsplit

_url = urlsplit(os.environ.get("DATABASE", ""))
_engine = {"postgresql": "postgresql", "mysql": "mysql"}.get(_url.scheme, "sqlite3")
if _engine == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()

SECRET_KEY = "only of the demo"  # noqa: S105 - nothing is secret here
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "/static/"
TIME_ZONE = "Europe/Berlin"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
if _engine == "sqlite3":
    _path = os.environ.get("SHOP_DB", str(Path(__file__).parents[1] / "shop.db"))
    # A worker and a site write beside each other: let SQLite do that well.
    _options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _path, "OPTIONS": _options}
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": f"django.db.backends.{_engine}",
            "NAME": _url.path[1:],
            "HOST": _url.hostname or "",
            "PORT": _url.port or "",
            "USER": _url.username or "",
            "PASSWORD": _url.password or "",
        }
    }

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "taskkit_django",  # tasks in this database, seen in the admin
    "shop",
]
TASKKIT = {"GROUPS": {"default": 4, "mail": 4}}  # queues, and threads for each
