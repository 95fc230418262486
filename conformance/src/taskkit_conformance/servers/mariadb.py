"""MariaDB and MySQL: the same protocol, started in nearly the same way."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import Program, StartFailed
from taskkit_conformance.servers.server import PrivateServer
from taskkit_conformance.servers.statements import sql_database

HOW: Final = "install MariaDB (Debian: mariadb-server)"
HOW_MYSQL: Final = (
    "install MySQL, or unpack its packages into a folder (Debian: apt-get download "
    "mysql-server-core and what it depends on, dpkg -x) and put a script mysqld on PATH that "
    "calls the folder's loader with --library-path, its mysqld with --no-defaults first, "
    "--basedir, --lc-messages-dir, --character-sets-dir, --plugin-dir, and what the script was "
    "given behind its own --no-defaults"
)

USER: Final = "taskkit"

_SETTINGS: Final = {
    "bind-address": places.HOST,
    "character-set-server": "utf8mb4",
    "max-connections": "200",
    "innodb-buffer-pool-size": "64M",
    # What is acknowledged has reached the operating system: it survives the death of the server,
    # not of the machine, and costs no wait for a disk.
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-doublewrite": "0",
    "loose-innodb-flush-method": "nosync",
    "loose-mysqlx": "OFF",
    "secure-file-priv": "",
}

_ACCOUNT: Final = f"""CREATE USER IF NOT EXISTS '{USER}'@'%';
GRANT ALL ON *.* TO '{USER}'@'%';
CREATE DATABASE IF NOT EXISTS taskkit;
"""


def find() -> str | None:
    """Return MariaDB's server program."""
    program = places.installed("mariadbd", "mysqld")
    return program if program is not None and _is_mariadb(program) else None


def find_mysql() -> str | None:
    """Return MySQL's server program; MariaDB installs one of this name too."""
    program = places.installed("mysqld")
    return None if program is None or _is_mariadb(program) else program


def _is_mariadb(program: str) -> bool:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return "MariaDB" in done.stdout


def start(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a MariaDB of its own."""
    install = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
    if install is None:
        raise StartFailed(f"{program}: expected mariadb-install-db beside it, found none on PATH")
    prepare = [install, "--no-defaults", "--auth-root-authentication-method=normal"]
    prepare += ["--skip-test-db", "--innodb-log-file-size=16M"]
    return _start("mariadb", program, prepare, settings)


def start_mysql(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a MySQL of its own."""
    prepare = [program, "--no-defaults", "--initialize-insecure"]
    return _start("mysql", program, prepare, settings)


def _start(
    kind: str, program: str, prepare: list[str], settings: Mapping[str, str]
) -> PrivateServer:
    user = places.unprivileged()
    folder = places.folder(kind, user)
    data = folder / "data"
    as_user = [f"--user={user}"] if user else []
    _initialise([*prepare, f"--datadir={data}", *as_user], folder, user)
    account = folder / "account.sql"
    account.write_text(_ACCOUNT)
    [port] = places.free_ports(1)
    own = [f"--datadir={data}", f"--port={port}", f"--socket={folder / 's'}", *as_user]
    own += [f"--pid-file={folder / 'pid'}", f"--init-file={account}"]
    # A server that starts removes the temporary tables of all others in this folder.
    own += [f"--tmpdir={folder}"]
    chosen = [f"--{name}={value}" for name, value in {**_SETTINGS, **settings}.items()]
    # First: MariaDB and MySQL look for files of settings unless the first word forbids it.
    command = [program, "--no-defaults", "--skip-name-resolve", "--skip-log-bin", *chosen, *own]
    node = Program(command, folder / "log", lambda: answers(port), user)
    url = f"mysql://{USER}@{places.HOST}:{port}/taskkit"
    server = PrivateServer(kind, url, folder, [node], lambda: sql_database(url))
    server.start()
    return server


def answers(port: int) -> bool:
    """Return whether the server greets; while it starts, or has too many clients, it does not."""
    try:
        with socket.create_connection((places.HOST, port), 1) as connection:
            connection.settimeout(1)
            # Three bytes of length, one number, then the version of the protocol.
            return connection.recv(5)[4:] == b"\x0a"
    except OSError:
        return False


def _initialise(command: list[str], folder: Path, user: str) -> None:
    done = subprocess.run(
        command, user=user or None, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StartFailed(f"{command[0]}: {(done.stdout + done.stderr).strip()[-2000:]}")
