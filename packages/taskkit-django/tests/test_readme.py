"""A new user: a fresh project of Django, the README's five lines, a task that runs."""

import os
import re
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from taskkit_conformance.servers.fixtures import (
    mariadb_server,  # noqa: F401 - fixtures
    mariadb_url,  # noqa: F401 - fixtures
    postgres_server,  # noqa: F401 - fixtures
    postgres_url,  # noqa: F401 - fixtures
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

README = Path(__file__).parents[1] / "README.md"


def blocks():
    """Return the README's Python blocks by the file that their first line names."""
    found = re.findall(r"```python\n# (\S+)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return dict(found)


@pytest.fixture
def manage(tmp_path):
    environment = dict(os.environ)
    for name in ("DJANGO_SETTINGS_MODULE", "PYTHONPATH"):  # ours, not a new user's
        environment.pop(name, None)

    def run(*arguments):
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


def database(url):
    if url is None:
        return ""
    parts = urlsplit(url)
    kind = "postgresql" if parts.scheme.startswith("postgresql") else "mysql"
    lines = [
        f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.{kind}',",
        f"'NAME': {parts.path[1:]!r}, 'USER': {parts.username or ''!r},",
        f"'PASSWORD': {parts.password or ''!r}, 'HOST': {parts.hostname!r},",
        f"'PORT': {str(parts.port)!r}}}}}",
    ]
    # On disk: another test of this process may have put PyMySQL in its place.
    by_pymysql = kind == "mysql" and PathFinder.find_spec("MySQLdb") is None
    before = "import pymysql\npymysql.install_as_MySQLdb()\n" if by_pymysql else ""
    return f"{before}{' '.join(lines)}\n"


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_five_lines(request, tmp_path, manage, kind):
    url = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_url")
    written = blocks()
    manage("-m", "django", "startproject", "project", ".")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    for name, text in written.items():
        if name != "settings.py":
            (tmp_path / name).write_text(text)
    settings = tmp_path / "project" / "settings.py"
    shop = "INSTALLED_APPS += ['shop']\n"
    settings.write_text(settings.read_text() + shop + database(url) + written["settings.py"])
    manage("manage.py", "check", "--fail-level", "WARNING")
    manage("manage.py", "makemigrations", "--check", "--dry-run")
    manage("manage.py", "migrate")
    manage("manage.py", "shell", "-c", "from shop.views import order; order(7); order(8)")
    manage("manage.py", "taskkit_worker", "--once")
    told = manage(
        "manage.py",
        "shell",
        "-c",
        "from taskkit_django.models import Task\n"
        "print(sorted((bytes(t.result), t.get_state_display()) for t in Task.objects.all()))",
    )
    assert told.splitlines()[-1] == str(
        [(b'"confirmed 7"', "succeeded"), (b'"confirmed 8"', "succeeded")]
    )
