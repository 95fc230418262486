"""Mutants of control."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.memory import control, operations, queue, workers
from taskkit.memory.incoming import resolve
from taskkit.records import ALL_GROUPS, Answered, Outcome


@mutant(128, "CTL-01", "tells a stop to the workers of that very group only")
def stop_by_name(patch):
    @around(patch, control, "stop")
    def stop(_real, memory, groups):
        for worker in memory.workers.values():
            worker.stopped.update(set(groups or ()) & set(worker.info.groups))


@mutant(129, "CTL-01", "tells a stop to workers that come later, too")
def stop_for_later(patch):
    @around(patch, workers, "register")
    def register(real, memory, info, lease):
        stopped = {name for worker in memory.workers.values() for name in worker.stopped}
        real(memory, info, lease)
        memory.workers[info.id].stopped.update(stopped)


@mutant(209, "CTL-01", "does not tell pauses with the heartbeat")
def pauses_untold(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, *args):
        return replace(real(*args), paused=frozenset())


@mutant(130, "CTL-02", "lets no pause end by itself")
def endless_pause(patch):
    @around(patch, control, "pause")
    def pause(real, memory, groups, _until):
        real(memory, groups, None)


@mutant(131, "CTL-02", "compares the end of a pause with < instead of <=")
def pause_too_long(patch):
    @around(patch, control, "pause")
    def pause(real, memory, groups, until):
        end = None if until is None else resolve(until, memory.tick()) + 1
        real(memory, groups, end)


@mutant(132, "CTL-03", "says that it has cancelled a waiting task, and has not")
def cancel_forgets_waiting(patch):
    @around(patch, operations, "cancel")
    def cancel(real, memory, ids):
        waiting = {each for each in ids if each in memory.tasks}
        waiting = {each for each in waiting if memory.tasks[each].place == "waiting"}
        answers = real(memory, [each for each in ids if each not in waiting])
        return answers | dict.fromkeys(waiting, Answered.DONE)


@mutant(210, "CTL-03", "cancels what is finished")
def cancels_finished(patch):
    @around(patch, operations, "cancel")
    def cancel(real, memory, ids):
        now = memory.tick()
        for entry in [memory.tasks[each] for each in dict.fromkeys(ids) if each in memory.tasks]:
            if entry.state.finished:
                memory.unfinish(entry)
                memory.cancel(entry, now)
        return real(memory, ids)


@mutant(133, "CTL-04", "does not tell a worker what was cancelled")
def cancels_untold(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, *args):
        return replace(real(*args), cancelled=frozenset())


@mutant(134, "CTL-04", "lets a success stand that came after the cancel")
def success_beats_cancel(patch):
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        if entry is not None and settlement.outcome is Outcome.SUCCEED:
            entry.cancelling = False
        return real(memory, settlement, now)


@mutant(52, "CTL-05", "takes an empty list of groups for all")
def empty_is_all(patch):
    patch.setattr(control, "_names", lambda groups: groups or (ALL_GROUPS,))


@mutant(211, "CTL-05", "lifts every pause, whichever was named")
def resumes_all(patch):
    @around(patch, control, "resume")
    def resume(real, memory, _groups):
        real(memory, None)
