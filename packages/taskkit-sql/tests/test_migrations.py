"""The layout of the tables: created, checked, refused."""

from __future__ import annotations

import sqlite3

import pytest
from sqlcase import new_task

from taskkit.errors import SchemaMismatch
from taskkit_relational import migrations


def _names(path):
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
    connection.close()
    return rows


def test_an_empty_store_gets_its_tables_by_itself(backend):
    assert backend.schema_versions() == (0, 101)
    backend.put([new_task()])
    assert backend.schema_versions() == (101, 101)


def test_an_empty_store_is_refused_where_creating_is_off(opened):
    backend = opened(create=False)
    with pytest.raises(SchemaMismatch, match="taskkit db upgrade"):
        backend.put([new_task()])
    backend.migrate()
    assert backend.put([new_task()])[0].status == "put"


def test_migrating_twice_is_no_error(backend):
    backend.migrate()
    backend.put([new_task()])
    backend.migrate()
    assert [count.count for count in backend.count()] == [1]


def test_the_printed_sql_makes_the_same_tables(backend, path, tmp_path):
    printed = tmp_path / "printed.db"
    connection = sqlite3.connect(printed)
    connection.executescript(backend.upgrade_sql())
    connection.close()
    backend.migrate()
    assert [row[:2] for row in _names(printed)] == [row[:2] for row in _names(path)]
    assert backend.upgrade_sql() == ""
    assert "CREATE TABLE taskkit_task" in backend.upgrade_sql(0)


def test_a_store_made_by_the_printed_sql_is_accepted(backend, path):
    connection = sqlite3.connect(path)
    connection.executescript(backend.upgrade_sql())
    connection.close()
    assert backend.put([new_task()])[0].status == "put"


def test_a_newer_store_is_refused_by_every_use(opened, raw):
    raw.execute("INSERT INTO taskkit_schema_version VALUES (9901, '99_01_post_later', 0)")
    backend = opened()
    for use in (backend.count, backend.migrate, lambda: backend.put([new_task()])):
        with pytest.raises(SchemaMismatch, match=r"version 101, found version 9901.*newer"):
            use()
    assert backend.schema_versions() == (9901, 101)


def test_an_older_store_is_refused_until_it_is_upgraded(opened, raw, monkeypatch):
    step = migrations.Step(
        102, "01_02_pre_notes", is_post=False, sql="CREATE TABLE {prefix}notes (a); -- a; b"
    )
    steps = (*migrations.steps("sqlite"), step)
    monkeypatch.setattr(migrations, "steps", lambda _dialect: steps)
    backend = opened()
    with pytest.raises(SchemaMismatch, match=r"found version 101; run: taskkit db upgrade --url"):
        backend.count()
    assert backend.upgrade_sql().count("CREATE TABLE") == 1
    backend.migrate()
    assert backend.count() == []
    assert raw.execute("SELECT count(*) FROM taskkit_notes").fetchone() == (0,)


def test_a_post_step_may_wait(opened, raw, monkeypatch):
    step = migrations.Step(102, "01_02_post_tidy", is_post=True, sql="SELECT 1;")
    steps = (*migrations.steps("sqlite"), step)
    monkeypatch.setattr(migrations, "steps", lambda _dialect: steps)
    assert opened().count() == []


def test_a_step_that_fails_changes_nothing(opened, raw, monkeypatch):
    step = migrations.Step(
        102, "01_02_pre_broken", is_post=False, sql="CREATE TABLE {prefix}notes (a); SELEC 1;"
    )
    steps = (*migrations.steps("sqlite"), step)
    monkeypatch.setattr(migrations, "steps", lambda _dialect: steps)
    backend = opened()
    with pytest.raises(Exception, match="SELEC"):
        backend.migrate()
    assert backend.schema_versions()[0] == 101
    with pytest.raises(sqlite3.OperationalError):
        raw.execute("SELECT * FROM taskkit_notes")
