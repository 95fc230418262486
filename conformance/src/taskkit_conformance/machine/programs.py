"""Programs: lists of operations, drawn up front.

An operation holds only numbers and values. Which task, claim or instant a number means is decided
when it is done, from what the model knows then, so nothing that a backend answers is ever drawn
upon, and a failing program can be replayed and made smaller. A step may be nothing: programs shrink
towards it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from taskkit.records import Limits, Outcome, Rate
from taskkit.task import State
from taskkit_conformance import values

GROUPS: Final = ("a", "a.b", "a.b%", "A", "a_b")
"""Few, so that tasks meet; alike, so that they would be mixed up."""

WORKERS: Final = ("w1", "w2", "w3")
STEPS: Final = 30


@dataclass(frozen=True, slots=True)
class Do:
    """One operation: a method of ``Run`` and its arguments."""

    name: str
    args: tuple[Any, ...] = ()


def programs(steps: int = STEPS) -> SearchStrategy[list[Do]]:
    """Programs of up to so many steps."""
    return st.lists(operations(), min_size=steps * 2 // 3, max_size=steps)


_small = st.integers(0, 30)
_group = st.sampled_from(GROUPS)
_want = st.sampled_from(("a", "a.b", "a", "A", "a_b", "a.b%"))
_worker = st.sampled_from(WORKERS)
_key = st.sampled_from((None, None, "k", "K"))
_outcome = st.sampled_from(
    (*Outcome, Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.RETRY, Outcome.RELEASE)
)
# Seconds from now.
_delay = st.sampled_from((0, 0, 0, -1, -5, 1, 5, 20))
_lease = st.sampled_from((10, 10, 10, 1, 60))
_ids = st.lists(_small, min_size=1, max_size=3)
# Claims that a heartbeat does not name: nearly all of them, or a few.
_forgotten = st.just(list(range(31))) | _ids
_some_groups = st.sampled_from(
    (("a",), ("a.b",), (), None, ("a", "a.b"), ("A",), ("a_b", "a.b%"), ("nobody",))
)


def _task() -> SearchStrategy[dict[str, Any]]:
    plain = {"group": _group, "delay": _delay, "priority": st.sampled_from((0, 0, 0, 1, -1))}
    rare = {
        "unique_key": _key,
        "unique_scope": st.sampled_from(("queued", "unfinished")),
        "lock_key": _key,
        "lock_limit": st.sampled_from((1, 1, 2)),
        "expires": st.sampled_from((None, None, None, 0, 5, 30)),
        "ttl": st.sampled_from((604_800.0, 0.0, 1.5, 20.0)),
        "on_lost": st.sampled_from(("retry", "retry", "keep", "fail")),
        "max_lost": st.sampled_from((3, 1, 2)),
        "max_history": st.sampled_from((10, 0, 1, 2)),
        "labels": st.sampled_from(({}, {"n": 1}, {"n": "1"}, {"n": True, "m": "x"})),
        "data": st.sampled_from((b"{}", b"", b"\x00\xff")),
        "name": st.sampled_from(("n", "N")),
    }
    return st.fixed_dictionaries(plain) | st.fixed_dictionaries(plain, optional=rare)


def _limits() -> SearchStrategy[Limits]:
    few = st.sampled_from((None, None, 1, 2))
    rate = st.sampled_from((None, None, Rate(2, 5.0)))  # one rate: a change is its own matter
    return st.builds(Limits, few, rate, st.sampled_from((None, None, None, 1, 3)))


def _do(name: str, *args: SearchStrategy[Any]) -> SearchStrategy[Do]:
    return st.builds(Do, st.just(name), st.tuples(*args))


@cache
def operations() -> SearchStrategy[Do]:
    """One operation; the commoner ones more often."""
    tasks = st.lists(_task(), min_size=1, max_size=4)
    known = st.lists(_small, max_size=2)
    claims = _do("claim", _worker, _wants(), _excluding())
    settle = _do("settle", st.lists(st.tuples(_small, _outcome, _delay), min_size=1, max_size=3))
    move = _do("move", st.sampled_from(("near", "near", "near", "on", "far", "back")), _small)
    rare = (
        _do("register", _worker, _lease),
        _do("heartbeat", _worker, _lease, _ids, _ids),
        _do("heartbeat", _worker, _lease, _forgotten, _ids),
        _do("retire", _worker, st.booleans()),
        _do("reclaim", st.sampled_from((1000, 1000, 1, 0))),
        _do("cancel", _ids),
        _do("requeue", _ids, _delay),
        _do("reschedule", _ids, _delay),
        _do("delete", _ids),
        _do("purge", st.sampled_from((1000, 1)), _purged()),
        _do("record", _task(), st.sampled_from((Outcome.SUCCEED, Outcome.FAIL)), _small),
        _do("pause", _some_groups, st.sampled_from((None, 1, 5, 20))),
        _do("resume", _some_groups),
        _do("stop", _some_groups),
        _do("configure", _group, _limits()),
        _do("advance", st.sampled_from(("s", "S")), st.integers(-1, 1), values.blobs(), tasks),
        _do("find", _queries(), st.integers(0, 5)),
        _do("other_client"),
    )
    put = _do("put", tasks, known)
    # Not with one_of: it takes an alternative that is named twice as one.
    kinds = (st.just(Do("nothing")), *[put, claims, settle] * 6, *[move] * 4, *rare)
    return st.sampled_from(kinds).flatmap(lambda kind: kind)


def _wants() -> SearchStrategy[dict[str, int]]:
    many = st.integers(0, 6)
    return st.dictionaries(_want, st.just(1) | many, min_size=1, max_size=3)


def _excluding() -> SearchStrategy[tuple[str, ...]]:
    return st.sampled_from(((), (), (), (), ("a.b",), ("a",), ("A",), ("*",), ("a.b", "a_b")))


def _purged() -> SearchStrategy[tuple[tuple[State, ...] | None, int | None]]:
    states = st.sampled_from((None, None, (State.SUCCEEDED,), (State.FAILED, State.CANCELLED)))
    return st.tuples(states, st.sampled_from((None, None, 0)))


def _queries() -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "group": _group,
            "subgroups": st.booleans(),
            "states": st.lists(st.sampled_from(list(State)), max_size=3),
            "name": st.sampled_from(("n", "N", "%")),
            "labels": st.sampled_from(({"n": 1}, {"n": "1"}, {"n": True}, {"m": "x", "n": True})),
        },
    )
