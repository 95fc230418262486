"""Mutants of calls with many tasks."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit import kit
from taskkit.errors import InvalidInput, Unavailable
from taskkit.memory import operations, queue, reading
from taskkit.memory.order import Order
from taskkit.records import PutResult


@mutant(48, "BLK-03", "keeps what it has put when a later task is refused")
def stops_half_way(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        return [answer for task in tasks for answer in real(memory, [task], **how)]


@mutant(54, "BLK-04", "lets the last of equal ids win")
def last_wins(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        return real(memory, tasks[::-1], **how)[::-1]


@mutant(55, "BLK-05", "fails with more than 999 tasks")
def few_parameters(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        if len(tasks) > 999:
            raise Unavailable("too many parameters")
        return real(memory, tasks, **how)


@mutant(56, "BLK-06", "gives one task less than was asked for")
def one_less(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        fewer = {name: max(1, most - 1) if most > 0 else 0 for name, most in wants.items()}
        return real(memory, worker_id, fewer, excluding)


@mutant(193, "BLK-06", "fills only the first want of a claim")
def first_want_only(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        return real(memory, worker_id, dict(list(wants.items())[:1]), excluding)


@mutant(71, "BLK-01", "refuses to put nothing")
def refuses_nothing(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        if not tasks:
            raise InvalidInput("expected tasks, found none")
        return real(memory, tasks, **how)


@mutant(72, "BLK-02", "gives all tasks of a call the due of the first")
def due_of_the_first(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        return real(memory, [replace(task, due=tasks[0].due) for task in tasks], **how)


@mutant(194, "BLK-02", "ends the claims of a call up to the first that does not stand")
def settles_until_refused(patch):
    @around(patch, queue, "settle")
    def settle(real, memory, settlements):
        answers = []
        for settlement in settlements:
            answers += real(memory, [settlement]) if False not in answers else [False]
        return answers


@mutant(73, "BLK-07", "raises for an unknown id")
def raises_for_unknown(patch):
    @around(patch, operations, "delete")
    def delete(real, memory, ids):
        unknown = [task_id for task_id in ids if task_id not in memory.tasks]
        if unknown:
            raise InvalidInput(f"expected known ids, found {unknown}")
        return real(memory, ids)


@mutant(74, "BLK-08", "leaves unknown ids out of a lookup")
def omits_unknown(patch):
    @around(patch, reading, "get")
    def get(real, memory, ids):
        return {key: record for key, record in real(memory, ids).items() if record}


@mutant(217, "BLK-06", "comes back short when a subgroup runs dry in the last round")
def short_of_one(patch):
    # Found in SQLite: what the dry one left over was not offered to the others.
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        node = self._nodes.get(want)
        groups = list(node.rotation.values()) if node else []
        dry = most > 1 and len(groups) > 1 and any(len(each.ready) == 1 for each in groups)
        return real(self, want, most - 1 if dry else most, now, allowed)


@mutant(232, "BLK-09", "puts as many at once as somebody likes")
def any_batch(patch):
    patch.setattr(kit, "check_batch", lambda *_: None)


@mutant(241, "BLK-02", "names the first of two with one id as put, where the second was")
def first_of_one_id(patch):
    # Found in SQLite: of the first its key was taken.
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        answers = real(memory, tasks, **how)
        places = {}
        for place, task in enumerate(tasks):
            first = places.setdefault(task.id, place)
            if first != place and answers[place].status == "put":
                answers[first] = PutResult(task.id)
                answers[place] = PutResult(task.id, "known")
        return answers
