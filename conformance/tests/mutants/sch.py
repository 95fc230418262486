"""Mutants of schedules: of the store that keeps their state, and of the core."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.ids import new_id
from taskkit.memory import control
from taskkit.memory.backend import MemoryBackend
from taskkit.records import ScheduleState
from taskkit.schedule import missed, scheduler, stored, zones
from taskkit.schedule.entry import ScheduleEntry


@mutant(37, "SCH-01", "stores the state before it puts the tasks")
def state_first(patch):
    @around(patch, control, "advance_schedule")
    def advance(_real, memory, name, version, state, tasks):
        current, _ = memory.schedules.get(name, (0, b""))
        if current != version:
            return False
        memory.schedules[name] = (version + 1, state)
        control.put(memory, tasks, bounded=False)
        return True


@mutant(182, "SCH-01", "lets a full queue hold a schedule back")
def bounded_advance(patch):
    @around(patch, control, "put")
    def put(real, memory, tasks, *, bounded):
        return real(memory, tasks, bounded=True)


@mutant(38, "SCH-02", "stores the state without looking at the version")
def no_comparison(patch):
    @around(patch, control, "advance_schedule")
    def advance(real, memory, name, _version, state, tasks):
        current, _ = memory.schedules.get(name, (0, b""))
        return real(memory, name, current, state, tasks)


@mutant(183, "SCH-02", "compares the version, then stores", lane="interleave")
def compares_first(patch):
    @around(patch, MemoryBackend, "advance_schedule")
    def advance(real, self, name, version, state, tasks):
        if self.load_schedule(name).version != version:
            return False
        while not real(self, name, self.load_schedule(name).version, state, tasks):
            pass
        return True


@mutant(39, "SCH-04", "gives the state back as text")
def state_as_text(patch):
    @around(patch, control, "load_schedule")
    def load(real, memory, name):
        found = real(memory, name)
        text = None if found.state is None else found.state.decode("latin-1")
        return replace(found, state=text)


@mutant(184, "SCH-04", "gives empty bytes before the first state")
def empty_state(patch):
    @around(patch, control, "load_schedule")
    def load(real, memory, name):
        found = real(memory, name)
        return ScheduleState(found.version, found.state or b"", found.now)


@mutant(96, "SCH-03", "gives a known tick another id")
def random_ids(patch):
    @around(patch, control, "put")
    def put(real, memory, tasks, *, bounded):
        seen = set(memory.tasks)
        fresh = []
        for task in tasks:
            fresh.append(replace(task, id=new_id(task.group)) if task.id in seen else task)
            seen.add(task.id)
        return real(memory, fresh, bounded=bounded)


@mutant(97, "SCH-05", "keeps one state for all schedulers")
def one_row(patch):
    @around(patch, control, "load_schedule")
    def load(real, memory, _name):
        return real(memory, "main")

    @around(patch, control, "advance_schedule")
    def advance(real, memory, _name, *args):
        return real(memory, "main", *args)


# ---- the core


@mutant(99, "SCH-07", "ignores the duplication policy of a schedule")
def ignores_duplication_policy(patch):
    patch.setattr(ScheduleEntry, "policy", property(lambda entry: entry.missed or "latest"))


@mutant(100, "SCH-08", "lets an entry of the minute skip the hour that is repeated")
def repeated_hour_once(patch):
    patch.setattr(zones, "_next_elapsed", zones._next_fixed)


@mutant(101, "SCH-09", "walks through the missed ticks one by one")
def walks(patch):
    @around(patch, missed, "_newest")
    def newest(real, after, first, now):
        for _ in range(5_000):  # enough to be seen, and not to take minutes
            tick = after(first)
            if tick is None or tick > now:
                return first
            first = tick
        return real(after, first, now)


@mutant(102, "SCH-10", "begins again from now when the clock steps back")
def reissues(patch):
    @around(patch, scheduler, "plan_entry")
    def plan_entry(real, entry, state, now, *args):
        if state is not None and state.last > now + missed.HORIZON:
            state = replace(state, last=now)
        return real(entry, state, now, *args)


@mutant(125, "SCH-11", "lets an entry at a fixed time follow elapsed time")
def fixed_follows_elapsed(patch):
    patch.setattr(zones, "_next_fixed", zones._next_elapsed)


@mutant(126, "SCH-12", "takes the missed policy `none` for `latest`")
def none_is_latest(patch):
    @around(patch, missed, "_missed_ticks")
    def missed_ticks(real, after, last, now, policy, limit):
        return real(after, last, now, "latest" if policy == "none" else policy, limit)


@mutant(185, "SCH-12", "runs the first of the missed ticks by default")
def earliest_by_default(patch):
    @around(patch, missed, "_missed_ticks")
    def missed_ticks(real, after, last, now, policy, limit):
        return real(after, last, now, "earliest" if policy == "latest" else policy, limit)


@mutant(127, "SCH-13", "pauses all entries when one is paused")
def pauses_all(patch):
    @around(patch, stored.Schedules, "pause")
    def pause(real, self, key, name=stored.STORED):
        for each in self.list(name):
            real(self, each.key, name)


@mutant(186, "SCH-13", "does not remove an entry from the running scheduler")
def removes_nothing(patch):
    @around(patch, stored.Schedules, "remove")
    def remove(_real, self, key, name=stored.STORED):
        self.pause(key, name)
        self.resume(key, name)
