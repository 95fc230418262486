"""Which property a wrong answer breaks: the machine compares everything, a report names one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from taskkit.records import Claims, Heartbeat, Outcome, Query
from taskkit.task import SUPERSEDED, NewTask, State
from taskkit_conformance.model import Job, Step, World, covered
from taskkit_conformance.model.answers import Beat, Each, Given, in_groups
from taskkit_conformance.model.claiming import lock_room, owner, room

_OF_METHOD: Final = {
    "register": "LEA-09",
    "retire": "LST-04",
    "workers": "INT-05",
    "requeue": "QRY-03",
    "reschedule": "ORD-02",
    "delete": "LST-03",
    "count": "QRY-01",
    "control": "CTL-02",
    "pause": "CTL-01",
    "resume": "CTL-01",
    "stop": "CTL-01",
    "configure": "LIM-04",
    "load_schedule": "SCH-04",
    "advance_schedule": "SCH-02",
    "record": "RES-09",
    "cancel": "CTL-03",
    "get": "INT-03",
    "move": "ORD-10",
}


_NAMING: Final = ("cancel", "requeue", "reschedule", "delete")
"""Calls that name tasks, and may name one twice."""


def answer_blame(name: str, args: Sequence[Any], world: World, expected: Step, found: Any) -> str:
    """Return the property that a wrong answer breaks."""
    if name in _NAMING and _repeats(args[0]):
        return "BLK-04"
    if name == "find":
        return _find_blame(args[0])
    if name == "claim" and isinstance(found, Claims):
        return _claim_blame(args, world, expected.answer, found)
    if name == "settle":
        return _settle_blame(args[0], world, expected.answer, found)
    if name == "put":
        return _put_blame(args[0], expected.answer, found)
    if name == "heartbeat":
        return _heartbeat_blame(expected.answer, found)
    if name == "reclaim":
        more = getattr(found, "tasks", 0) - expected.answer.tasks
        return "LEA-02" if more > 0 else "LEA-14" if more < 0 else "LEA-09"
    if name == "purge":
        return "RES-05" if any(each is not None for each in args[1:]) else "RES-06"
    return _OF_METHOD.get(name, "INT-03")


def _repeats(ids: Sequence[str]) -> bool:
    return len(set(ids)) < len(ids)


def _find_blame(query: Query) -> str:
    if query.labels:
        return "HIS-03"
    states = set(query.states or ())
    if query.name is None and states and states <= {State.WAITING, State.QUEUED}:
        return "INT-01"
    return "INT-02" if query.name is None and states == {State.RUNNING} else "QRY-02"


def _put_blame(tasks: Sequence[NewTask], expected: Any, found: Any) -> str:
    if not isinstance(expected, list) or not isinstance(found, list):
        return "LIM-06"
    if _repeats([task.id for task in tasks]):
        return "BLK-04"
    for one, two in zip(expected, found, strict=False):
        if one != two and "known" in (one.status, two.status):
            return "EXC-04"
        if one != two:
            return {"duplicate": "UNQ-02", "put": "UNQ-04"}[one.status]
    return "BLK-02"


def _claim_blame(args: Sequence[Any], world: World, expected: Any, found: Claims) -> str:
    _, wants, excluding = args
    if not isinstance(expected, Given) or found.alive != expected.alive:
        return "LEA-03"
    for claim in found.claims:
        wrong = _wrongly_given(world, wants, excluding, claim.task.id, claim.task.group)
        if wrong is not None:
            return wrong
    ids = {claim.task.id for claim in found.claims}
    if len(ids) < len(found.claims):
        return "EXC-01"
    if in_groups(found) != {group: ids for group, ids in expected.tasks.items() if ids}:
        return _wrong_choice(world, expected, found)
    latest = max((due for due in expected.next_due if due is not None), default=None)
    late = latest is not None and (found.next_due is None or found.next_due > latest)
    return "ORD-06" if late else "LIM-02"


def _wrongly_given(
    world: World, wants: Any, excluding: Any, task_id: str, group: str
) -> str | None:
    job = world.jobs.get(task_id)
    if job is None:
        return "EXC-06"
    if not job.unclaimed:
        return "EXC-01" if job.running else "EXC-05"
    if owner(group, wants) is None:
        return "ORD-05"
    if covered(group, excluding):
        return "FAR-04"
    if covered(group, world.paused()):
        return "CTL-02"
    if job.task.due > world.now:
        return "ORD-02"
    if job.task.expires is not None and job.task.expires <= world.now:
        return "EXP-01"
    if not lock_room(world, job):
        return "LIM-01"
    if not room(world, group):
        return "LIM-05" if world.limits[group].rate is not None else "LIM-04"
    return None


def _wrong_choice(world: World, expected: Given, found: Claims) -> str:
    got = in_groups(found)
    wanted = sum(len(ids) for ids in expected.tasks.values())
    if len(found.claims) < wanted:
        missing = {i for ids in expected.tasks.values() for i in ids} - {
            claim.task.id for claim in found.claims
        }
        tasks = [world.jobs[task_id].task for task_id in missing]
        if all(task.lock_key is not None or task.group in world.limits for task in tasks):
            return "LIM-03"
        return "ORD-03" if any(task.due == world.now for task in tasks) else "BLK-06"
    if len(found.claims) > wanted:
        limited = any(world.limits.get(group) for group in got)
        return "LIM-04" if limited else "LIM-01"
    for group, ids in got.items():
        right = expected.tasks.get(group, ())
        for mine, theirs in zip(right, ids, strict=False):
            if mine != theirs:
                one, two = world.jobs[mine].task, world.jobs[theirs].task
                if one.priority != two.priority:
                    return "PRI-01"
                return "ORD-04" if one.due == two.due else "ORD-01"
    return "FAR-01"


def _settle_blame(settlements: Any, world: World, expected: Any, found: Any) -> str:
    if not isinstance(expected, Each) or not isinstance(found, list):
        return "BLK-02"
    for settlement, right, answer in zip(settlements, expected.choices, found, strict=False):
        if answer in right:
            continue
        job = world.jobs.get(settlement.task_id)
        if answer is False:
            return "RTY-06" if settlement.outcome is Outcome.RETRY else "RES-04"
        if job is None:
            return "EXC-06"
        if settlement.token in job.settled:
            return "RES-04"
        return "LEA-05" if settlement.outcome is Outcome.SUCCEED else "LEA-06"
    return "BLK-02"


def _heartbeat_blame(expected: Any, found: Any) -> str:
    if not isinstance(expected, Beat) or not isinstance(found, Heartbeat):
        return "LEA-07"
    if found.alive != expected.alive:
        return "LEA-07"
    if found.cancelled != expected.cancelled:
        return "CTL-04"
    void = expected.void <= found.void <= expected.void | expected.perhaps_void
    return "CTL-01" if void else "LEA-04"


# ---- records

_OF_FIELD: Final = {
    "attempt": "LEA-11",
    "losses": "LST-01",
    "worker_id": "INT-02",
    "began": "INT-02",
    "done": "RES-03",
    "result": "RES-01",
    "failure": "RES-02",
    "cancelling": "CTL-04",
    "progress": "HIS-02",
    "history": "HIS-01",
    "task.retry_count": "RTY-02",
    "task.labels": "HIS-02",
}

_OF_OUTCOME: Final = {
    Outcome.SUCCEED: "RES-03",
    Outcome.FAIL: "RES-03",
    Outcome.RETRY: "RTY-01",
    Outcome.DISCARD: "EXC-06",
    Outcome.RELEASE: "LST-04",
    Outcome.CANCEL: "CTL-04",
    Outcome.LOSE: "LST-01",
}

_OF_STATE: Final = {
    "put": "EXC-04",
    "claim": "EXC-03",
    "heartbeat": "LEA-13",
    "reclaim": "LST-02",
    "purge": "RES-06",
    "cancel": "CTL-04",
    "requeue": "QRY-03",
    "delete": "LST-03",
}


def record_blame(name: str, args: Sequence[Any], job: Job | None, fields: Sequence[str]) -> str:
    """Return the property that a wrong record breaks."""
    if name == "settle":
        return _after_settle(args[0], job, fields)
    if job is not None and job.failure is not None and job.failure.type == SUPERSEDED:
        return "UNQ-05"
    if "known" in fields or "state" in fields:
        expired = job is not None and job.state is State.CANCELLED and name in ("claim", "move")
        return "EXP-01" if expired else _OF_STATE.get(name, _OF_METHOD.get(name, "EXC-03"))
    if "task.due" in fields:
        return "ORD-08" if name in ("reclaim", "retire") else "INT-03"
    return next((_OF_FIELD[each] for each in fields if each in _OF_FIELD), "INT-03")


def _after_settle(settlements: Any, job: Job | None, fields: Sequence[str]) -> str:
    if job is not None and job.failure is not None and job.failure.type == SUPERSEDED:
        return "UNQ-05"
    mine = [each for each in settlements if job is None or each.task_id == job.task.id]
    outcome = mine[0].outcome if mine else settlements[0].outcome
    if job is not None and job.serial not in job.settled and mine:
        return "LEA-05" if outcome is Outcome.SUCCEED else "LEA-06"
    if "state" in fields or "known" in fields:
        return _OF_OUTCOME[outcome]
    if "task.due" in fields:
        return "ORD-07" if outcome is Outcome.RETRY else "LST-04"
    return next((_OF_FIELD[each] for each in fields if each in _OF_FIELD), "RTY-02")
