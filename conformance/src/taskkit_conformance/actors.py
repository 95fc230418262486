"""How actors perform their programs, in a thread or in a process of their own.

The same steps are performed by threads and by spawned processes. A process is started with
``python -m taskkit_conformance.actors``; it is told on standard input which store to open (names
and strings only, nothing is inherited) and what to do, and answers with its history.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from taskkit.backend import Backend
from taskkit.clock import ManualClock, sleep
from taskkit.errors import Answer, InvalidInput, Unavailable
from taskkit.records import Claims, Outcome, Query, Record, Settlement, WorkerInfo
from taskkit.task import NOW, After, Failure, State
from taskkit_conformance.harness import Namespace, harness_of
from taskkit_conformance.history import Operation, Recorder, nanoseconds, to_json
from taskkit_conformance.steps import Hands, Step, from_fields

FAILURE: Final = Failure("ValueError", "boom", "")


def perform(
    actor: str,
    client: Backend,
    program: Sequence[Step],
    recorder: Recorder,
    hands: Hands,
    between: Callable[[], None] = lambda: None,
) -> None:
    """Perform a program; what goes wrong is written down, never raised."""
    for step in program:
        between()
        arguments = hands.resolve(step)
        if arguments is not None:
            hands.learn(_perform_one(actor, client, step.kind, arguments, recorder))


def _perform_one(
    actor: str, client: Backend, kind: str, arguments: Mapping[str, Any], recorder: Recorder
) -> Operation:
    called = recorder.call(actor, kind, arguments)
    try:
        answer = _CALLS[kind](client, arguments)
    except (Answer, InvalidInput) as error:
        return recorder.back(called, "refused", error=type(error).__name__)
    except Unavailable as error:
        return recorder.back(called, "unknown", error=f"Unavailable: {error}")
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is evidence
        text = f"{type(error).__name__}: {error}"
        return recorder.back(called, "unknown", error=text, broken=True)
    return recorder.back(called, "ok", answer)


def _put(client: Backend, given: Mapping[str, Any]) -> Any:
    results = client.put([from_fields(task) for task in given["tasks"]])
    return [[result.id, result.status] for result in results]


def _claim(client: Backend, given: Mapping[str, Any]) -> Any:
    answer: Claims = client.claim(given["worker"], given["wants"], given.get("excluding", ()))
    claims = [[claim.task.id, claim.token, claim.attempt] for claim in answer.claims]
    return {"alive": answer.alive, "claims": claims}


def _settle(client: Backend, given: Mapping[str, Any]) -> Any:
    outcome = Outcome(given["outcome"])
    due = given.get("due", 0)
    settlement = Settlement(
        given["task"],
        given["token"],
        outcome,
        given.get("result", "").encode(),
        FAILURE if outcome in (Outcome.FAIL, Outcome.RETRY, Outcome.CANCEL) else None,
        None if due is None else After(due),
    )
    [stands] = client.settle(given["worker"], [settlement])
    return stands


def _beat(client: Backend, given: Mapping[str, Any]) -> Any:
    held = [(task_id, token) for task_id, token in given["held"]]
    answer = client.heartbeat(given["worker"], given["lease"], held, {})
    return {
        "alive": answer.alive,
        "cancelled": sorted(answer.cancelled),
        "void": sorted(answer.void),
        "paused": sorted(answer.paused),
    }


def _register(client: Backend, given: Mapping[str, Any]) -> Any:
    client.register(WorkerInfo(given["worker"], {"g": 8}), given["lease"])


def _reclaim(client: Backend, given: Mapping[str, Any]) -> Any:
    answer = client.reclaim(given["limit"])
    return {"tasks": answer.tasks, "workers": sorted(answer.workers)}


def _get(client: Backend, given: Mapping[str, Any]) -> Any:
    records = client.get(given["ids"])
    return {task_id: None if found is None else seen(found) for task_id, found in records.items()}


def _list(client: Backend, given: Mapping[str, Any]) -> Any:
    states = [State(state) for state in given["states"]]
    page = client.find(Query(states=states), 1000)
    return [[found.task.id, str(found.state), found.worker_id] for found in page.records]


def _find(client: Backend, given: Mapping[str, Any]) -> Any:
    found: list[str] = []
    after: str | None = None
    while True:
        page = client.find(Query(group=given.get("group")), given["limit"], after)
        found += [record.task.id for record in page.records]
        after = page.next
        if after is None:
            return found


def _advance(client: Backend, given: Mapping[str, Any]) -> Any:
    tasks = [from_fields(task) for task in given["tasks"]]
    return client.advance_schedule(given["name"], given["version"], given["state"].encode(), tasks)


def _schedule(client: Backend, name: str) -> Any:
    found = client.load_schedule(name)
    return [found.version, None if found.state is None else found.state.decode()]


def _answered(answers: Mapping[str, Any]) -> dict[str, str]:
    return {task_id: str(answer) for task_id, answer in answers.items()}


_CALLS: Final[Mapping[str, Callable[[Backend, Mapping[str, Any]], Any]]] = {
    "put": _put,
    "claim": _claim,
    "settle": _settle,
    "beat": _beat,
    "register": _register,
    "reclaim": _reclaim,
    "get": _get,
    "find": _find,
    "list": _list,
    "workers": lambda client, _given: [
        [worker.info.id, worker.expires, worker.running] for worker in client.workers()
    ],
    "schedule": lambda client, given: _schedule(client, given["name"]),
    "purge": lambda client, _given: client.purge(),
    "advance": _advance,
    "retire": lambda client, given: client.retire(given["worker"], given["lost"]),
    "cancel": lambda client, given: _answered(client.cancel(given["ids"])),
    "delete": lambda client, given: _answered(client.delete(given["ids"])),
    "requeue": lambda client, given: _answered(client.requeue(given["ids"], NOW)),
    "reschedule": lambda client, given: _answered(
        client.reschedule(given["ids"], After(given.get("due", 0)))
    ),
    "pause": lambda client, given: client.pause(given["groups"]),
    "resume": lambda client, given: client.resume(given["groups"]),
    "count": lambda client, given: [
        [count.group, str(count.state), count.count] for count in client.count(given.get("groups"))
    ],
}


def seen(record: Record) -> dict[str, Any]:
    """Return the part of a record that concurrent actors can change."""
    return {
        "state": str(record.state),
        "token": record.token,
        "attempt": record.attempt,
        "worker": record.worker_id,
        "retries": record.task.retry_count,
        "losses": record.losses,
        "done": record.done is not None,
        "result": None if record.result is None else record.result.decode("latin-1"),
        "failure": None if record.failure is None else record.failure.type,
        "about": None if record.failure is None else record.failure.message,
        "data": record.task.data.decode("latin-1"),
        "cancelling": record.cancelling,
        "ended": len(record.history),
    }


# ---- a process of its own


def main(commands: TextIO, answers: TextIO) -> None:
    """Obey commands, one to a line, until there are no more."""
    client: Backend | None = None
    clock = ManualClock()

    def say(what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    for line in commands:
        command = json.loads(line)
        if "open" in command:
            given = command["open"]
            harness = harness_of(given["backend"], given["options"])
            client = harness.open(Namespace(**given), clock)
            client.capabilities()
            say({"now": nanoseconds()})
        else:
            assert client is not None
            # All stand still at one instant, as in the other lanes.
            clock.set(command["now"])
            recorder = Recorder()
            program = [Step(kind, arguments) for kind, arguments in command["perform"]]
            hands = Hands([(task_id, token) for task_id, token in command["held"]])
            _until(command["start"])
            perform(command["actor"], client, program, recorder, hands)
            say([json.loads(to_json(operation)) for operation in recorder.history()])
    if client is not None:
        client.close()


def _until(start: int) -> None:
    """Wait for the common start; the last stretch without sleeping, which would miss it."""
    while (left := start - nanoseconds()) > 0:
        if left > 2_000_000:
            sleep((left - 1_000_000) / 1e9)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
