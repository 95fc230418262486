"""Mutants that break one sentence on calls with many parts, and it alone."""

from __future__ import annotations

from mutants.mutant import around, mutant
from taskkit.errors import InvalidInput, InvalidTask, Unavailable
from taskkit.ids import group_of
from taskkit.kit import Kit
from taskkit.memory import operations, queue, reading, workers
from taskkit.records import Answered


@mutant(289, "BLK-01", "refuses to settle nothing")
def refuses_no_settlement(patch):
    @around(patch, queue, "settle")
    def settle(real, memory, settlements):
        if not settlements:
            raise InvalidInput("expected settlements, found none")
        return real(memory, settlements)


@mutant(290, "BLK-02", "ends no claim of a call behind the fourth")
def four_at_most(patch):
    @around(patch, queue, "settle")
    def settle(real, memory, settlements):
        return [*real(memory, settlements[:4]), *[False] * len(settlements[4:])]


@mutant(291, "BLK-03", "puts what precedes an invalid task, if that is more than one")
def puts_what_precedes(patch):
    @around(patch, Kit, "put_new")
    def put_new(real, self, tasks, within=None):
        try:
            return real(self, tasks, within)
        except InvalidTask:
            for most in range(len(tasks) - 1, 1, -1):
                try:
                    real(self, tasks[:most], within)
                except InvalidTask:
                    continue
                break
            raise


@mutant(
    292, "BLK-04", "looks a task up again that is named twice, and does not find what it deleted"
)
def deletes_twice(patch):
    @around(patch, operations, "delete")
    def delete(real, memory, ids):
        answers = real(memory, ids)
        twice = {each for each in ids if list(ids).count(each) > 1} if len(ids) < 10 else set()
        return answers | dict.fromkeys(twice, Answered.UNKNOWN)


@mutant(293, "BLK-05", "takes too long for a heartbeat that holds thousands of claims")
def compares_all_with_all(patch):
    # Found in PostgreSQL: a plan that was kept compared all rows with all.
    @around(patch, workers, "heartbeat")
    def heartbeat(real, memory, worker_id, lease, held, progress):
        if len(held) > 5_000:
            raise Unavailable("no answer within 30 s")
        return real(memory, worker_id, lease, held, progress)


@mutant(294, "BLK-06", "leaves out the fourth group that a claim wants")
def three_groups_at_most(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        return real(memory, worker_id, dict(list(wants.items())[:3]), excluding)


@mutant(295, "BLK-07", "refuses to requeue an unknown id of a group that is not ASCII")
def refuses_unknown(patch):
    @around(patch, operations, "requeue")
    def requeue(real, memory, ids, due):
        for task_id in ids:
            if task_id not in memory.tasks and not group_of(task_id).isascii():
                raise InvalidInput(f"expected a known id, found {task_id}")
        return real(memory, ids, due)


@mutant(296, "BLK-08", "leaves out an unknown id that a lookup names twice")
def unknown_twice(patch):
    @around(patch, reading, "get")
    def get(real, memory, ids):
        found = real(memory, ids)
        if len(found) < len(ids):
            names = list(ids)
            return {key: one for key, one in found.items() if one or names.count(key) == 1}
        return found
