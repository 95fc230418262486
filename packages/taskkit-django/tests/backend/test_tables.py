"""The tables: made by migrate, removed by it, emptied by flush, complained about if missing."""

import io

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import TransactionTestCase
from kinds import everywhere
from works import note

from taskkit.errors import SchemaMismatch
from taskkit_django.backend.opening import vendor_of
from taskkit_django.models import Task


def tables(alias):
    with connections[alias].cursor() as cursor:
        names = connections[alias].introspection.table_names(cursor)
    return {name for name in names if name.startswith("taskkit_")}


@everywhere
def test_migrate_makes_them_and_zero_removes_them(alias):
    assert {"taskkit_task", "taskkit_worker", "taskkit_store"} <= tables(alias)
    call_command("migrate", "taskkit", "zero", database=alias, verbosity=0)
    assert tables(alias) == set()
    call_command("migrate", "taskkit", database=alias, verbosity=0)
    assert "taskkit_task" in tables(alias)


@everywhere
def test_what_is_missing_is_told_with_the_command_that_helps(project, place):
    alias = project(place, migrate=False)
    with pytest.raises(SchemaMismatch, match=f"run: manage.py migrate taskkit --database {alias}"):
        note.delay("x")
    call_command("migrate", "taskkit", database=alias, verbosity=0)
    note.delay("x")


@everywhere
def test_a_step_that_was_run_otherwise_is_not_run_again(project, place):
    from taskkit_django.kit import kit

    alias = project(place, migrate=False)
    kit().backend.migrate()
    kit().backend.migrate()
    note.delay("x")
    call_command("migrate", "taskkit", database=alias, verbosity=0)
    assert kit().stats().count() == 1
    assert kit().backend.schema_versions() == (101, 101)


@everywhere
def test_flush_empties_them(alias, kit):
    # Where no app has a table, flush does nothing at all.
    call_command("migrate", database=alias, verbosity=0)
    note.delay("x")
    kit.pause(["mail"])
    call_command("flush", database=alias, verbosity=0, interactive=False)
    assert kit.stats().count() == 0
    assert kit.backend.control().pauses == {}
    note.delay("y")
    assert kit.stats().count() == 1


def test_they_are_made_where_migrations_are_turned_off(project, place, settings):
    settings.MIGRATION_MODULES = {"taskkit": None}
    alias = project(place, migrate=False)
    call_command("migrate", "taskkit", database=alias, run_syncdb=True, verbosity=0)
    note.delay("x")


@everywhere
def test_the_command_helps_where_a_router_forbade_the_tables_before(project, place, settings):
    settings.DATABASE_ROUTERS = ["routers.Nowhere"]
    alias = project(place)
    settings.DATABASE_ROUTERS = []
    with pytest.raises(SchemaMismatch, match=f"run: manage.py migrate taskkit --database {alias}"):
        note.delay("x")
    call_command("migrate", "taskkit", database=alias, verbosity=0)
    note.delay("x")
    call_command("migrate", "taskkit", "zero", database=alias, verbosity=0)
    assert tables(alias) == set()


def test_routers_are_obeyed(project, place, settings):
    settings.DATABASE_ROUTERS = ["routers.Nowhere"]
    alias = project(place)
    assert tables(alias) == set()


def test_routers_choose_the_database(project, place, settings):
    alias = project(place)
    settings.TASKKIT = {}
    settings.DATABASE_ROUTERS = ["routers.ToLast"]
    from taskkit_django.kit import kit

    note.delay("x")
    assert kit().stats().count() == Task.objects.using(alias).count() == 1
    assert Task.objects.count() == 1  # read where it is written


@everywhere
def test_the_sql_can_be_seen_before(alias, capsys):
    call_command("sqlmigrate", "taskkit", "0001", database=alias)
    shown = capsys.readouterr().out
    assert "CREATE TABLE" in shown
    assert "taskkit_task" in shown


def test_the_migrations_say_all_that_the_models_say(alias):
    out = io.StringIO()
    call_command("makemigrations", "taskkit", check=True, dry_run=True, stdout=out)
    assert "No changes" in out.getvalue()


@everywhere
def test_the_models_show_what_is_in_them(alias, kit):
    result = note.options(labels={"who": "ä"}, priority=3).delay("x")
    task = Task.objects.using(alias).get(id=result.id)
    assert (task.name, task.group, task.priority) == ("works.note", "default", 3)
    assert (task.state, task.labels, task.data) == (
        Task.State.QUEUED,
        {"who": "ä"},
        b'{"text":"x"}',
    )
    found = Task.objects.using(alias).filter(group="default", due__gte=task.due, name="works.note")
    assert [each.id for each in found.order_by("-id")] == [result.id]
    assert task.due.tzinfo is not None
    assert task.done is None


def test_only_what_is_known_is_a_database(project, place):
    assert vendor_of(project(place), "taskkit_", notify=True).name == "sqlite"


class FlushedTest(TransactionTestCase):
    """Runs on the project's default database, in memory."""

    def test_it_begins_empty(self):
        from taskkit_django.kit import kit

        assert kit().stats().count() == 0
        note.delay("left behind")
        assert kit().stats().count() == 1
        assert connection.vendor == "sqlite"

    test_it_begins_empty_again = test_it_begins_empty
