"""Workers of the benchmarks' Django project."""

from __future__ import annotations

import os
import subprocess
import sys

from bench import HERE


def worker_command(url: str, count: int, slots: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of workers on the tasks of ``django_app.py``."""
    command = [sys.executable, "-m", "taskkit", "worker", "django_app:kit", "-g", slots]
    return [*command, "--processes", str(count)], environment(url)


def call(url: str, code: str) -> str:
    """Run code in a process that has ``django_app`` and ``peer``; return what it printed."""
    env = {**os.environ, **environment(url), "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-c", f"import peer, django_app; {code}"]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ours
    return done.stdout.decode()


def environment(url: str) -> dict[str, str]:
    """Return what leads a process to the project."""
    return {"PEER_URL": url, "DJANGO_SETTINGS_MODULE": "django_site"}
