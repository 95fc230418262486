"""Time-tables: SCH. The first six are kept by the backend, the others by the core."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_backend = partial(Property, level="Scheduler", needs=("SCH-04",))
_core = partial(Property, level="Scheduler", scope="core")

PROPERTIES: Final = (
    _backend(
        "SCH-01",
        "The state of a schedule and the tasks of its tick are stored together or not at all.",
        "A crash between them would lose the tick, or run it twice.",
        "MX",
        history="advance with an invalid task → refused, version and state as before",
        mistake="State first, tasks after it.",
    ),
    _backend(
        "SCH-02",
        "Advancing is conditional on the version: of two schedulers at one point one wins, and the "
        "other is told and puts nothing.",
        "Two schedulers may run, for safety; ticks must not double.",
        "MIR",
        history="A and B load version 3 · A advances → true · B advances → false, its tasks "
        "unknown",
        mistake="Last writer wins; comparing the state's bytes instead of its version.",
    ),
    _backend(
        "SCH-03",
        "A tick whose task is known already changes nothing: the same id is put once, and the "
        "state "
        "advances all the same.",
        "A scheduler that repeats a tick after a crash must be harmless.",
        history="advance with t1 · advance again with t1 → true, t1 is there once, unchanged",
        mistake="An integrity error instead of `known`.",
    ),
    _backend(
        "SCH-04",
        "The state's bytes come back as they were given; before the first store the version is 0 "
        "and "
        "there is no state.",
        "What the scheduler writes is its own business.",
        history="load → version 0, None · advance with 00 ff → load → version 1, 00 ff",
        mistake="Text; an empty state read as none.",
        needs=(),
    ),
    _backend(
        "SCH-05",
        "Schedules of different names are independent.",
        "Two applications can share a store.",
        history="advance a · load b → version 0",
        mistake="One row for all; names compared without case.",
    ),
    _backend(
        "SCH-06",
        "Across crashes and restarts of schedulers every tick is produced exactly once.",
        "This is what a schedule is for.",
        "X",
        history="two schedulers, killed again and again · each tick has one task",
        mistake="Storing after putting; a lock that the dead one keeps.",
        capability="shared",
    ),
    _core(
        "SCH-07",
        "After downtime the policy `latest` yields one task, of the last tick that was missed, and "
        "`earliest` one, of the first.",
        "After a weekend off nobody wants sixty-four reports.",
        history="hourly, down from 1 to 4 · latest → the tick of 4 · earliest → the tick of 2",
        mistake="All of them at once.",
    ),
    _core(
        "SCH-08",
        "Local times that are skipped or repeated when clocks change fire as documented.",
        "Twice a year each scheduler is put to the test.",
        history="daily at 02:30, a night without it → at the first instant after the gap",
        mistake="Adding 24 hours; comparing local times.",
    ),
    _core(
        "SCH-09",
        "A year of downtime costs bounded memory and time.",
        "A start after a long break must not be an outage.",
        history="every second, down for a year, policy latest → one task, at once",
        mistake="Going through all ticks one by one.",
    ),
    _core(
        "SCH-10",
        "A clock that steps back produces no tick twice.",
        "Clocks are corrected.",
        history="tick of 10:00 done · clock back to 09:59 · at 10:00 again → nothing",
        mistake="Looking only at the clock, not at the stored state.",
    ),
    _core(
        "SCH-11",
        "Entries at fixed local times fire once a local day: in a gap at the first instant after "
        "it, "
        "in an overlap at the first of the two; minute-level and interval entries follow elapsed "
        "time.",
        "A daily report comes daily, an hourly check hourly.",
        history="daily at 02:30 in an overlap → once · every 30 minutes in an overlap → each 30 "
        "minutes",
        mistake="One rule for both kinds.",
    ),
    _core(
        "SCH-12",
        "Missed ticks follow the policy of the entry: latest unless told otherwise, earliest, all "
        "in "
        "order, or none.",
        "What a missed tick is worth only the entry knows.",
        history="hourly, down from 1 to 4 · all → 2, 3, 4 · none → nothing until 5",
        mistake="The policy of the scheduler instead of the entry's.",
    ),
    _core(
        "SCH-13",
        "Entries can be added, changed, removed and paused at run time without resetting the "
        "others.",
        "A change of one entry must not fire or skip another.",
        history="a daily and b hourly · b is changed → a still fires at its time, once",
        mistake="One state for the whole list, thrown away when the list changes.",
    ),
)
