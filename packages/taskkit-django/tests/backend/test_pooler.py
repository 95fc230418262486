"""Behind PgBouncer, which gives each transaction to whichever session is free."""

import shutil
import socket
import subprocess
import time

import pytest
import works
from django.db import connections, transaction

BOUNCER = shutil.which("pgbouncer")

INI = """
[databases]
* = host={HOST} port={PORT}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = extra_float_digits
"""

pytestmark = [
    pytest.mark.skipif(BOUNCER is None, reason="pgbouncer is not installed (Debian: pgbouncer)"),
    pytest.mark.parametrize("place", ["postgres"], indirect=True),
]


@pytest.fixture
def pooled(place, tmp_path):
    """Return the settings of a database behind a pooler of this test's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users = tmp_path / "users.txt"
    users.write_text(f'"{place["USER"]}" ""\n')
    ini = tmp_path / "pgbouncer.ini"
    told = {**place, "listen": port, "users": users}
    ini.write_text(INI.format(**told).replace("* =", f"* = user={place['USER']}"))
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)
    # Not as root, which it refuses.
    log = (tmp_path / "pgbouncer.log").open("w+")
    process = subprocess.Popen([BOUNCER, "-u", "nobody", str(ini)], stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "pgbouncer.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield {**place, "PORT": str(port), "DISABLE_SERVER_SIDE_CURSORS": True}
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def test_tasks_run(pooled, project, settings):
    alias = project(pooled)
    settings.TASKKIT = {"DATABASE": alias, "NOTIFY": False}
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    with kit.running({"default": 8}):
        results = works.queries.delay_many([(alias,)] * 200)
        assert [result.get(60) for result in results] == [1] * 200
        with transaction.atomic(using=alias):
            result = works.note.delay("in a transaction")
        assert result.get(30) == "in a transaction"
    with pytest.raises(LookupError), transaction.atomic(using=alias):
        result = works.note.delay("never")
        raise LookupError
    assert kit.backend.get([result.id])[result.id] is None
    connections[alias].close()
