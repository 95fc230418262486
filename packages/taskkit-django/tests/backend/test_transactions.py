"""Tasks in the program's own transactions."""

import threading

import pytest
from django.db import IntegrityError, connections, transaction
from kinds import everywhere
from works import note

from taskkit.errors import BackendError, QueueFull, Unsupported
from taskkit.task import State
from taskkit_django.testing import run_tasks


class Refused(Exception):
    pass


def known(kit, *results):
    return [kit.backend.get([result.id])[result.id] is not None for result in results]


@everywhere
def test_what_is_rolled_back_leaves_no_task(kit, alias):
    with pytest.raises(Refused), transaction.atomic(using=alias):
        result = note.delay("never")
        assert known(kit, result) == [True]  # the transaction sees its own
        raise Refused
    assert known(kit, result) == [False]


@everywhere
def test_what_is_committed_is_there(kit, alias):
    with transaction.atomic(using=alias):
        result = note.delay("now")
    assert known(kit, result) == [True]
    assert kit.stats().count("default", State.QUEUED) == 1


@everywhere
def test_nobody_else_sees_it_before_the_commit(kit, alias):
    found = []

    def look(result):
        found.append(known(kit, result))
        connections[alias].close()

    with transaction.atomic(using=alias):
        result = note.delay("soon")
        thread = threading.Thread(target=look, args=[result])
        thread.start()
        thread.join()
    look_again = threading.Thread(target=look, args=[result])
    look_again.start()
    look_again.join()
    assert found == [[False], [True]]


@everywhere
def test_an_inner_block_takes_its_tasks_with_it(kit, alias):
    with transaction.atomic(using=alias):
        outer = note.delay("outer")
        with pytest.raises(Refused), transaction.atomic(using=alias):
            inner = note.delay("inner")
            raise Refused
    assert known(kit, outer, inner) == [True, False]


@everywhere
def test_a_full_queue_leaves_the_transaction_usable(kit, alias):
    kit.configure("default", max_queue_size=1)
    with transaction.atomic(using=alias):
        first = note.delay("fits")
        with pytest.raises(QueueFull):
            note.delay("does not")
        kit.configure("default", max_queue_size=None)
        third = note.delay("fits again")
    assert known(kit, first, third) == [True, True]


@pytest.mark.parametrize("place", ["mariadb"], indirect=True)
def test_the_victim_of_a_deadlock_is_rolled_back_whole(kit, alias):
    # Some limit has every put take back what it did itself, so that the block can go on.
    kit.configure("other", max_queue_size=5)
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made (what VARCHAR(20) PRIMARY KEY, n INT) ENGINE=InnoDB")
        cursor.executemany("INSERT INTO made VALUES (%s, 0)", [[f"w{n}"] for n in range(200)])
        cursor.execute("INSERT INTO made VALUES ('A', 0)")
    has_put = threading.Event()

    def put_and_wait_for_a_row():
        other = connections[alias]
        with transaction.atomic(using=alias), other.cursor() as cursor:
            # The server ends the transaction that has changed less.
            cursor.execute("UPDATE made SET n = 1 WHERE what <> 'A'")
            note.options(unique_key="k").delay("of the other")
            has_put.set()
            cursor.execute("UPDATE made SET n = n + 1 WHERE what = 'A'")
        other.close()

    thread = threading.Thread(target=put_and_wait_for_a_row)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute("UPDATE made SET n = n + 10 WHERE what = 'A'")
        cursor.execute("INSERT INTO made VALUES ('before', 0)")
        thread.start()
        assert has_put.wait(60)
        # Whichever of the two waits first: the other closes the circle.
        with pytest.raises(BackendError):
            note.options(unique_key="k").delay("of the victim")
        with pytest.raises(transaction.TransactionManagementError):
            cursor.execute("INSERT INTO made VALUES ('after', 0)")
    thread.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT what, n FROM made WHERE what NOT LIKE 'w%'")
        assert cursor.fetchall() == (("A", 1),)
        cursor.execute("DROP TABLE made")


@everywhere
def test_operations_are_part_of_it_too(kit, alias):
    result = note.delay("stays")
    with pytest.raises(Refused), transaction.atomic(using=alias):
        kit.cancel(result)
        assert kit.backend.get([result.id])[result.id].state is State.CANCELLED
        raise Refused
    assert kit.backend.get([result.id])[result.id].state is State.QUEUED


@everywhere
def test_a_waiting_worker_is_woken_by_the_commit(kit, alias):
    # Polling is off for longer than the test may take: only a push can wake it.
    with kit.running({"default": 1}, poll=100):
        note.delay("first").get(30)
        with transaction.atomic(using=alias):
            result = note.delay("second")
        assert result.get(30) == "second"


@everywhere
def test_without_autocommit_the_transaction_is_the_programs(kit, alias):
    transaction.set_autocommit(False, using=alias)
    try:
        dropped = note.delay("dropped")
        transaction.rollback(using=alias)
        kept = note.delay("kept")
        transaction.commit(using=alias)
    finally:
        transaction.set_autocommit(True, using=alias)
    assert known(kit, dropped, kept) == [False, True]


@everywhere
def test_a_broken_transaction_is_refused(kit, alias):
    with transaction.atomic(using=alias):
        transaction.set_rollback(True, using=alias)
        with pytest.raises(Unsupported, match="an earlier error has broken"):
            note.delay("in vain")


@everywhere
def test_a_bulk_is_all_or_nothing(kit, alias):
    with pytest.raises(Refused), transaction.atomic(using=alias):
        results = note.delay_many([(str(number),) for number in range(500)])
        raise Refused
    assert kit.stats().count() == 0
    with transaction.atomic(using=alias):
        results = note.delay_many([(str(number),) for number in range(500)])
    assert len({result.id for result in results}) == kit.stats().count() == 500


def test_another_alias_of_the_same_database_can_be_named(kit, alias, project, place):
    other = project(place, migrate=False, chosen=False)
    with pytest.raises(Refused), transaction.atomic(using=other):
        result = note.options(within=other).delay("never")
        raise Refused
    assert known(kit, result) == [False]
    with transaction.atomic(using=other):
        result = note.options(within=connections[other]).delay("now")
    assert known(kit, result) == [True]


def test_another_database_is_refused(kit, alias, project, tmp_path):
    from conftest import sqlite

    other = project(sqlite(tmp_path / "other.db"), migrate=False, chosen=False)
    with (
        transaction.atomic(using=other),
        pytest.raises(Unsupported, match="expected a transaction on the database of"),
    ):
        note.options(within=other).delay("lost")
    with pytest.raises(Unsupported, match="found builtins.int"):
        note.options(within=3).delay("lost")
    with pytest.raises(Unsupported, match="expected an open transaction"):
        note.options(within=alias).delay("lost")


@everywhere
def test_atomic_requests(kit, alias, project, place, rf):
    from django.core.handlers.base import BaseHandler

    connections[alias].settings_dict["ATOMIC_REQUESTS"] = True
    put = []

    def view(request):
        put.append(note.delay("in a request"))
        if request.GET:
            raise IntegrityError
        return None

    wrapped = BaseHandler().make_view_atomic(view)
    wrapped(rf.get("/"))
    with pytest.raises(IntegrityError):
        wrapped(rf.get("/?fails=1"))
    assert known(kit, *put) == [True, False]


@everywhere
def test_a_task_that_is_run_in_place_leaves_the_transaction_alone(kit, alias):
    with pytest.raises(Refused), transaction.atomic(using=alias):
        result = note.options(eager=True).delay("at once")
        assert known(kit, result) == [True]
        raise Refused
    assert known(kit, result) == [False]


@everywhere
def test_a_test_runs_its_tasks_in_its_own_transaction(kit, alias):
    with pytest.raises(Refused), transaction.atomic(using=alias):
        result = note.delay("in a test")
        [record] = run_tasks()
        assert (record.task.id, record.state) == (result.id, State.SUCCEEDED)
        assert known(kit, result) == [True]
        raise Refused
    assert known(kit, result) == [False]
