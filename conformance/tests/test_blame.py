"""A random program that fails names the property that the wrong answer breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taskkit.records import Claims, PutResult, Query, WorkerInfo
from taskkit.task import NewTask, State
from taskkit_conformance import model
from taskkit_conformance.machine.blame import answer_blame
from taskkit_conformance.model import Step, World

START = 1_000_000


def blamed(name, *args, world=None, step=None, found=None):
    world = world or World(START)
    return answer_blame(name, args, world, step or Step(None, world), found)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (Query(), "QRY-02"),
        (Query(name="n", states=[State.RUNNING]), "QRY-02"),
        (Query(states=[State.SUCCEEDED, State.QUEUED]), "QRY-02"),
        (Query(states=[State.WAITING, State.QUEUED]), "INT-01"),
        (Query(states=[State.RUNNING]), "INT-02"),
        (Query(labels={"n": 1}), "HIS-03"),
    ],
)
def test_a_wrong_page_breaks_what_was_asked_for(query, number):
    assert blamed("find", query, 5, None) == number


@pytest.mark.parametrize("name", ["cancel", "requeue", "reschedule", "delete"])
def test_a_call_that_names_a_task_twice_is_about_that(name):
    assert blamed(name, ["a", "b", "a"]) == "BLK-04"
    assert blamed(name, ["a", "b"]) != "BLK-04"


def test_a_put_that_names_a_task_twice_is_about_that():
    task = NewTask(id=f"g_{1:032x}", group="g", name="n", data=b"")
    found = [PutResult(task.id), PutResult(task.id)]
    for second, expected in ((task, True), (replace(task, id=f"g_{2:032x}"), False)):
        [step] = model.put(World(START), [task, second])
        number = blamed("put", [task, second], step=step, found=found)
        assert (number == "BLK-04") is expected


@pytest.mark.parametrize(("lock", "number"), [("k", "LIM-03"), (None, "ORD-03")])
def test_a_task_that_is_missing_though_its_lock_is_free_is_about_that(lock, number):
    task = NewTask(id=f"g_{1:032x}", group="g", name="n", data=b"", due=START, lock_key=lock)
    world = model.put(World(START), [task])[0].after
    world = model.register(world, WorkerInfo("w", {"g": 1}), 10)[0].after
    [step] = model.claim(world, "w", {"g": 1}, ())
    nothing = Claims((), None, START)
    args = ("w", {"g": 1}, ())
    assert blamed("claim", *args, world=world, step=step, found=nothing) == number
