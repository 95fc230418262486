"""A pair of PostgreSQL servers: a primary, and a standby that has whatever was acknowledged."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from system import eventually

from taskkit_conformance.servers import obtain, places, postgres
from taskkit_conformance.servers.program import Program

DATABASE = "faults"


class Pair:
    """Both servers, on loopback; gone when stopped.

    Raises:
        Missing: PostgreSQL is not installed.
    """

    def __init__(self) -> None:
        # No commit is acknowledged before the standby has it.
        self.primary = obtain("postgres", {"synchronous_standby_names": "standby"})
        self._folder: Path | None = None
        try:
            self._standby = self._started_standby()
            self._execute(self.primary.url, f"CREATE DATABASE {DATABASE}")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Of the database, on whichever of the two can be written to."""
        ports = f"{urlsplit(self.primary.url).port},{self._port}"
        hosts = f"{places.HOST},{places.HOST}"
        return (
            f"postgresql://{postgres.USER}@/{DATABASE}?host={hosts}&port={ports}"
            "&target_session_attrs=read-write"
        )

    def _started_standby(self) -> Program:
        program = postgres.find()
        assert program is not None
        user = places.unprivileged()
        folder = self._folder = places.folder("standby", user)
        [self._port] = places.free_ports(1)
        copy = Path(program).resolve().with_name("pg_basebackup")
        source = f"{self.primary.url}?application_name=standby"
        subprocess.run(
            [*(copy, "-d", source, "-D", folder / "data"), *("-R", "-X", "stream", "-c", "fast")],
            user=user or None,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        settings = ("unix_socket_directories=", f"port={self._port}", "max_connections=200")
        standby = Program(
            [program, "-D", str(folder / "data"), *(f"--{setting}" for setting in settings)],
            folder / "log",
            lambda: postgres.answers(self._port),
            user,
            signal.SIGINT,
        )
        standby.start()
        return standby

    def fail_over(self) -> None:
        """Kill the primary, let the standby take its place, and return when that can be written."""
        assert self.primary.kill is not None
        self.primary.kill()
        url = f"postgresql://{postgres.USER}@{places.HOST}:{self._port}/{DATABASE}"
        self._execute(url, "SELECT pg_promote(wait => false)")
        in_recovery = "SELECT pg_is_in_recovery()"
        eventually(lambda: self._execute(url, in_recovery) == (False,), "it is promoted")

    @staticmethod
    def _execute(url: str, statement: str) -> object:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def stop(self) -> None:
        """End both and remove what they have kept."""
        with suppress(AttributeError):  # it was never started
            self._standby.stop()
        self.primary.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
