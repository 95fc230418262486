"""Puts within the caller's transaction."""

from __future__ import annotations

from typing import NoReturn

from hypothesis import strategies as st

from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import claimed, find, get, worker


class _Undo(Exception):
    """Rolls the caller's transaction back."""


def _undo() -> NoReturn:
    raise _Undo


@proves("DUR-08", examples=0.5)
def a_put_within_a_transaction_exists_when_that_commits(case: Case) -> None:
    """Nobody sees it before; after a rollback it never was. Others' puts go on."""
    begin = getattr(case.harness, "transaction", None)
    if begin is None:
        case.no_means("a transaction of the caller: the harness has no `transaction`")
    worker(case)
    tasks = [case.task(unique_key=f"k{n}") for n in range(case.draw(st.integers(1, 3)))]
    commit = case.draw(st.booleans())
    try:
        with begin(case.namespace) as within:
            answers = [answer.status for answer in case.backend.put(tasks, within=within)]
            case.equal(answers, ["put"] * len(tasks), "the answers within the transaction")
            known = [find(case, task.id) for task in tasks]
            case.equal(known, [None] * len(tasks), "what others see before the commit")
            if not commit:
                _undo()
    except _Undo:
        case.met()
    there = [find(case, task.id) is not None for task in tasks]
    end = "commit" if commit else "rollback"
    case.equal(there, [commit] * len(tasks), f"which tasks are there after the {end}")
    given = sorted(claimed(case, most=5))
    case.equal(
        given, sorted(t.id for t in tasks) if commit else [], f"what is claimed after the {end}"
    )
    if not commit:
        case.equal([a.status for a in case.backend.put(tasks)], ["put"] * len(tasks), "a put again")
    case.equal(get(case, tasks[0].id).task.unique_key, "k0", "the key of the first")
