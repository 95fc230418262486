"""The race lane: real threads and processes act, are heard, and never hang the run."""

import json

import pytest

from taskkit.clock import SECOND, ManualClock
from taskkit.errors import Unavailable
from taskkit.ids import stable_id
from taskkit.memory import MemoryBackend
from taskkit.stores import connect
from taskkit.task import After, NewTask
from taskkit_conformance.actors import main, perform
from taskkit_conformance.case import Case, Violated
from taskkit_conformance.harness import DefaultHarness, Namespace
from taskkit_conformance.history import NEVER, Recorder
from taskkit_conformance.race import Crew, crew_for, dismiss, racing
from taskkit_conformance.steps import (
    Hands,
    Step,
    claim,
    from_fields,
    put,
    register,
    settle,
    to_fields,
)
from taskkit_conformance.suite.exc_interleave import claimers_share

NOW = 1_700_000_000 * SECOND


def task(number, **fields):
    return NewTask(id=stable_id("g", str(number)), group="g", name="n", data=b"{}", **fields)


def first(strategy):
    """Draw what hypothesis would try first."""
    from hypothesis import find

    return find(strategy, lambda _: True)


def case_of(backend, namespace):
    return Case(
        DefaultHarness(namespace.backend),
        namespace,
        backend,
        ManualClock(NOW),
        backend.capabilities(),
        first,
    )


class Broken(MemoryBackend):
    def claim(self, worker_id, wants, excluding=()):
        raise KeyError("surprise")


class Gone(MemoryBackend):
    def claim(self, worker_id, wants, excluding=()):
        raise Unavailable("no route")


@pytest.fixture
def place(tmp_path):
    yield Namespace("sql", f"sqlite:///{tmp_path / 'race.db'}")
    dismiss()


def test_processes_act_on_one_store(place):
    clock = ManualClock(NOW)
    client = connect(place.backend, url=place.url, clock=clock)
    client.put([task(number) for number in range(6)])
    actors = Crew(place).actors(2)
    for number, actor in enumerate(actors):
        worker = f"w{number}"
        program = [register(worker, SECOND), claim(worker, 2), settle(worker), claim(worker)]
        steps = [[step.kind, step.arguments] for step in program]
        order = {"actor": worker, "perform": steps, "held": [], "now": NOW, "start": 0}
        actor.tell(order)
    histories = [actor.hear() for actor in actors]
    for actor in actors:
        actor.close()
    claimed = [
        row[0]
        for history in histories
        for operation in history
        if operation["kind"] == "claim"
        for row in operation["answer"]["claims"]
    ]
    assert len(claimed) == len(set(claimed)) == 6
    done = [record for record in client.get(claimed).values() if record.state == "succeeded"]
    assert {record.done for record in done} == {NOW}
    assert len(done) == 2
    client.close()


def test_a_scene_is_played_by_threads_and_by_processes(place):
    client = connect(place.backend, url=place.url, clock=ManualClock(NOW))
    for apart in (False, True):
        case = case_of(client, place)
        draws = iter([apart])
        case.draw = lambda strategy, draws=draws: next(draws, None) or first(strategy)
        racing(claimers_share)(case)
        assert case.exercised == 2
        client.clear()
    client.close()


def test_an_actor_that_died_is_told(place):
    crew = crew_for(place)
    [actor] = crew.actors(1)
    actor._process.kill()
    with pytest.raises((ChildProcessError, OSError)):
        actor.tell({"perform": []})
        actor.hear()
    dismiss()


def test_an_error_that_is_none_of_the_contract_is_a_violation():
    namespace = Namespace("memory", None)
    case = case_of(Broken(ManualClock(NOW)), namespace)
    with pytest.raises(Violated, match="claim raised KeyError: 'surprise'"):
        racing(claimers_share)(case)
    assert any("KeyError" in line for line in case.log)
    lines = case.files["history.jsonl"].splitlines()
    assert {json.loads(line)["kind"] for line in lines} == {"put", "register", "claim"}


def test_an_unavailable_store_leaves_the_outcome_unknown():
    recorder = Recorder()
    perform("a1", Gone(ManualClock(NOW)), [claim("w1")], recorder, Hands())
    [operation] = recorder.history()
    assert (operation.ending, operation.returned, operation.broken) == ("unknown", NEVER, False)


def test_a_refusal_is_an_answer():
    recorder = Recorder()
    client = MemoryBackend(ManualClock(NOW))
    perform("a1", client, [Step("reclaim", {"limit": -1})], recorder, Hands())
    [operation] = recorder.history()
    assert (operation.ending, operation.error) == ("refused", "InvalidInput")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"due": 5},
        {"due": After(7), "priority": 3, "expires": After(9)},
        {"unique_key": "k", "unique_scope": "unfinished", "labels": {"a": 1}, "ttl": 0.5},
    ],
)
def test_tasks_survive_the_way_to_a_process(fields):
    made = task(1, **fields)
    assert from_fields(json.loads(json.dumps(to_fields(made)))) == made


def test_a_step_refers_to_what_its_actor_holds():
    client = MemoryBackend(ManualClock(NOW))
    recorder, hands = Recorder(), Hands()
    program = [put(task(1), task(2)), register("w1", SECOND), claim("w1", 2)]
    program += [settle("w1", keep=True), settle("w1"), settle("w1"), settle("w1")]
    perform("a1", client, program, recorder, hands)
    settled = [one.claim for one in recorder.history() if one.kind == "settle"]
    assert settled[0] == settled[1] != settled[2]
    assert len(settled) == 3
    assert hands.held == []


def test_the_process_ends_with_its_input():
    said = []

    class Answers:
        write = said.append
        flush = staticmethod(lambda: None)

    opening = {"open": {"backend": "memory", "url": None, "options": {}}}
    main([json.dumps(opening)], Answers())
    assert "now" in json.loads(said[0])
