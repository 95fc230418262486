"""Tables become a text and back, and what never became a text is undone."""

import pytest

from taskkit.clock import SECOND
from taskkit.errors import Corrupt, QueueFull
from taskkit.records import Attempt, Limits, Outcome, Rate, Settlement, WorkerInfo
from taskkit.simple import operations, queue, results, workers
from taskkit.simple.document import Document
from taskkit.simple.tables import Tables
from taskkit.simple.text import from_text, to_text
from taskkit.task import Failure, NewTask, State

T0 = 1_700_000_000 * SECOND


def task(number, group="mail", **fields):
    return NewTask(id=f"{group}_{number:032x}", group=group, name="n", data=b"\x00\xff", **fields)


def busy():
    """A document with something in every table."""
    document = Document()
    tables = document.tables
    operations.configure(tables, "mail", Limits(3, Rate(5, 1.5), 9))
    operations.pause(tables, None, T0 + 5, T0)
    operations.resume(tables, None)
    operations.pause(tables, ["other"], None, T0)
    workers.register(tables, WorkerInfo("w", {"mail": 8, "": 1}), 10 * SECOND, T0)
    operations.stop(tables, ["x"])
    labels = {"": "empty", "n": 1, "b": True, "f": 1.0}
    queue.put(tables, [task(1, labels=labels), task(2), task(3)], T0)
    first, second = queue.claim(tables, "w", {"mail": 2}, (), T0).claims
    failure = Failure("E", "é\x00😀\n", "\u2028")
    queue.settle(
        tables,
        [
            Settlement(first.task.id, first.token, Outcome.RETRY, failure=failure),
            Settlement(second.task.id, second.token, Outcome.DISCARD),
        ],
        T0,
    )
    results.advance_schedule(tables, "", 0, b"\n\xff", [], T0)
    return document


def tables_of(document):
    return {name: getattr(document.tables, name) for name in Tables.__slots__ if name != "changed"}


def test_a_text_says_all():
    document, other = busy(), Document()
    assert all(tables_of(document).values()), "every table has something in it"
    text = document.text()
    other.read(text)
    assert tables_of(other) == tables_of(document)
    assert repr(other.tables.tasks[task(1).id]) == repr(document.tables.tasks[task(1).id])
    assert sorted(other.text().split("\n")) == sorted(text.split("\n"))


def test_the_same_tables_are_the_same_text():
    document = busy()
    assert document.text() == document.text()


def test_what_never_became_a_text_is_undone():
    document = busy()
    text = document.text()
    before = tables_of(document) | {"tasks": dict(document.tables.tasks)}
    with pytest.raises(QueueFull):
        queue.put(document.tables, [task(number) for number in range(4, 20)], T0)
    operations.delete(document.tables, [task(1).id])
    operations.pause(document.tables, None, None, T0)
    assert document.tables.tasks != before["tasks"]
    document.read(text)
    after = tables_of(document)
    assert after.pop("pauses") == {"other": None}
    assert after["tasks"] == before["tasks"]
    assert document.text().split("\n")[0] == text.split("\n")[0]


def test_a_text_that_was_not_stored_is_undone():
    document = busy()
    stored = document.text()
    operations.cancel(document.tables, [task(3).id], T0)
    queue.put(document.tables, [task(4)], T0)
    document.text()
    document.read(stored)
    assert document.tables.tasks[task(3).id].state is State.QUEUED
    assert task(4).id not in document.tables.tasks


def test_no_text_is_an_empty_store():
    document = busy()
    document.read("")
    assert not any(tables_of(document).values())


def test_clearing_empties_all_tables_and_lets_tokens_go_on():
    document = busy()
    text, token = document.text(), document.tables.token
    document.tables.clear()
    left = {name: table for name, table in tables_of(document).items() if table}
    assert left == {"token": token}
    assert len(document.text()) < len(text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, ("a", b"\xff")),
        {"": {"": 1}},
        [State.QUEUED, Outcome.LOSE, "queued"],
        frozenset({"a"}),
        Attempt(1, 2, 3, "w", "lost", Failure("E", "m")),
        Limits(rate=Rate(1, 0.5)),
        {"a": 1, "b": 1.0, "c": True},
    ],
    ids=repr,
)
def test_values_come_back_with_their_types(value):
    text = to_text(value)
    assert text.isascii()
    assert "\n" not in text
    assert repr(from_text(text)) == repr(value)


@pytest.mark.parametrize("text", ["", "{", '{"":"nobody"}', '{"":"Failure","x":1}'])
def test_what_is_no_text_is_corrupt(text):
    with pytest.raises(Corrupt, match="expected a text"):
        from_text(text)


def test_what_is_no_part_of_the_protocol_is_refused():
    with pytest.raises(TypeError):
        to_text(object())
