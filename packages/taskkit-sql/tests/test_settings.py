"""URL, options, pickling, and which servers are too old."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
from sqlcase import claim, new_task, register

from taskkit import connect
from taskkit.clock import ManualClock, SystemClock
from taskkit.errors import InvalidSetting, Unavailable, Unsupported
from taskkit_sql import mysql_connecting, open_backend, postgres_connecting
from taskkit_sql.settings import read_settings


def test_a_relative_path_is_of_the_directory_at_opening(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend = open_backend("sqlite:///tasks.db")
    monkeypatch.chdir("/")
    backend.migrate()
    backend.close()
    assert (tmp_path / "tasks.db").exists()


def test_nothing_is_opened_before_the_first_use(path, backend):
    assert not path.exists()
    backend.capabilities()
    assert not path.exists()
    backend.count()
    assert path.exists()


def test_the_plugin_opens_it_by_name(url, path):
    backend = connect("sql", url=url, prefix="mine_")
    backend.put([new_task()])
    backend.close()
    assert path.exists()


@pytest.mark.parametrize(
    "url",
    [
        None,
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///x.db?timeout=3",
        "sqlite://host/x.db",
        "mysql://x",
        "nonsense",
    ],
)
def test_a_url_that_names_no_file_is_refused(url):
    with pytest.raises(InvalidSetting, match="url: expected"):
        open_backend(url)


def test_a_store_in_memory_is_named_to_who_asks_for_it():
    with pytest.raises(InvalidSetting, match=r"connect\('memory'\)"):
        open_backend("sqlite://")


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": "x; DROP TABLE y; --"},
        {"prefix": "1x"},
        {"prefix": ""},
        {"prefix": "x" * 31},
        {"synchronous": "off"},
        {"create": "yes"},
        {"busy_timeout": -1},
        {"busy_timeout": float("inf")},
    ],
)
def test_an_option_outside_its_range_is_refused(url, options):
    with pytest.raises(InvalidSetting, match=f"{next(iter(options))}: expected"):
        open_backend(url, **options)


@pytest.mark.parametrize("options", [{"pool_size": True}, {"lock_timeout": 0}, {"notify": 1}])
def test_an_option_of_a_server_outside_its_range_is_refused(options):
    with pytest.raises(InvalidSetting, match=f"{next(iter(options))}: expected"):
        open_backend("postgresql://u@127.0.0.1:1/db", **options)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=["nul", "surrogate"])
def test_a_path_that_no_file_can_have_is_refused(name):
    with pytest.raises(InvalidSetting, match="url: expected a path"):
        open_backend(f"sqlite:///{name}")


_IDLE = "u@127.0.0.1:1/db"
_SAID_TO_MYSQL = (
    "bogus=1", "read_timeout=abc", "client_flag=x", "port=x", "charset=nope",
    "ssl_ca=/nonexistent", "ssl_ca=/",
)  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        *(f"mysql://{_IDLE}?{said}" for said in _SAID_TO_MYSQL),
        "mysql://u@a..b/db", f"mysql://u@{'a' * 70}/db", "postgresql://u@a..b/db",
        "mysql://u:\ud800@127.0.0.1:1/db", "postgresql://u:\ud800@127.0.0.1:1/db",
    ],
)  # fmt: skip
def test_a_host_or_parameter_that_a_driver_cannot_use_is_refused_when_it_connects(url):
    settings = read_settings(url, {})
    module = mysql_connecting if settings.kind == "mysql" else postgres_connecting
    # As the pool does it, and as those do who need a connection of their own.
    for connect_ in (open_backend(url).count, lambda: module.connect(settings)):
        with pytest.raises(InvalidSetting, match="url: expected a host and parameters that") as got:
            connect_()
        assert "\ud800" not in str(got.value)


def test_the_systems_trouble_is_no_mistake_of_the_settings(monkeypatch):
    def crowded(**_parameters):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(mysql_connecting.pymysql, "connect", crowded)
    with pytest.raises(Unavailable, match="Too many open files"):
        open_backend(f"mysql://{_IDLE}").count()


def test_a_misspelt_option_is_refused_with_a_suggestion(url):
    with pytest.raises(InvalidSetting, match="did you mean 'prefix'"):
        open_backend(url, prefx="x_")


@pytest.mark.parametrize(("synchronous", "number"), [("normal", 1), ("full", 2)])
def test_synchronous_is_set_on_every_connection(opened, synchronous, number):
    backend = opened(synchronous=synchronous)

    def pragma(name):
        def look(look):
            look.cursor.execute(f"PRAGMA {name}")
            return look.cursor.fetchone()[0]

        return backend._store.database.read(look)

    assert pragma("synchronous") == number
    assert pragma("journal_mode") == "wal"


def test_pickling_opens_the_same_store_again(opened):
    backend = opened(prefix="mine_", clock=SystemClock())
    backend.put([new_task()])
    again = pickle.loads(pickle.dumps(backend))
    register(again)
    assert len(claim(again)) == 1
    again.close()


def test_a_clock_of_ones_own_is_not_pickled(opened):
    with pytest.raises(InvalidSetting, match="ManualClock"):
        pickle.dumps(opened(clock=ManualClock()))


def test_a_prefix_is_a_namespace_of_its_own(opened, path):
    one, two = opened(prefix="one_"), opened(prefix="two_")
    one.put([new_task()])
    two.put([new_task(), new_task()])
    one.clear()
    assert one.count() == []
    assert [count.count for count in two.count()] == [2]
    assert Path(path).exists()


@pytest.mark.parametrize(
    ("told", "is_old"),
    [
        ("5.5.5-10.5.9-MariaDB-1:10.5.9", True), ("10.5.29-MariaDB", True),
        ("5.5.5-10.6.0-MariaDB", False), ("11.8.3-MariaDB-log", False),
        ("5.7.44-log", True), ("8.0.11", False), ("9.7.4-2", False),
        ("8.0.mysql_aurora.3.4", False),
    ],
)  # fmt: skip
def test_servers_without_skip_locked_are_refused(told, is_old):
    if is_old:
        with pytest.raises(Unsupported, match=r"10\.6 or MySQL from 8\.0"):
            mysql_connecting._refuse_old(told, "MariaDB" in told)
    else:
        mysql_connecting._refuse_old(told, "MariaDB" in told)
