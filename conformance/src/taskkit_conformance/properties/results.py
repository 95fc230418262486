"""How attempts end: RTY retry, RES results, HIS history, progress and labels."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_leased = partial(Property, level="Leased", needs=("ORD-03", "RTY-04"))
_store = partial(Property, level="Store", needs=("ORD-03", "RES-03"))

PROPERTIES: Final = (
    _leased(
        "RTY-01",
        "A retry moves a task from running to the queue in one step: no instant shows both or "
        "neither.",
        "A crash in between would lose or double the task.",
        "MI",
        history="claim 1 of t1 · retry → t1 is found once, queued",
        mistake="Deleting the running entry and inserting the queued one in two steps.",
    ),
    _leased(
        "RTY-02",
        "A retry keeps the task's id, group, name, data, created, ttl and all else but its due, "
        "and "
        "raises `retry_count` by exactly one.",
        "The second attempt is of the same task.",
        history="claim 1 of t1 · retry · claim 2 of t1 → the same task, retry_count 1",
        mistake="Putting a new task in its place.",
    ),
    _leased(
        "RTY-03",
        "A retried task has no outcome: no result, no failure, no `done`.",
        "Who waits for the result must wait on.",
        history="t1 failed · requeue · claim · retry → no failure, no done",
        mistake="An earlier outcome that is not cleared.",
    ),
    _leased(
        "RTY-04",
        "A retry that is due now is claimable now, one that is due later is not.",
        "Retry intervals mean what they say.",
        history="claim 1 of t1 · retry due in 5 s · claim → nothing · 5 s later claim → claim 2 "
        "of t1",
        mistake="A fixed pause that is added.",
        needs=("ORD-03",),
    ),
    _leased(
        "RTY-05",
        "A retry with a delay of zero or with a due in the past is accepted.",
        "Clocks differ; an instant that has just passed is not a mistake.",
        history="claim 1 of t1 · retry due 1 s ago → stands, t1 is claimable",
        mistake="Demanding a due in the future.",
    ),
    _leased(
        "RTY-06",
        "The same retry settled twice queues one copy and is counted once; the repetition stands.",
        "A settlement whose reply was lost is repeated under its token.",
        "MI",
        history="claim 1 of t1 · retry → stands · the same retry → stands, retry_count 1",
        mistake="A repetition that counts again, or that is told it lost.",
    ),
    _leased(
        "RTY-07",
        "A retry never brings back a task that was deleted meanwhile.",
        "Who deletes a task does not expect it back.",
        "MI",
        history="claim 1 of t1 · delete t1 · claim 1 retries → does not stand, t1 is unknown",
        mistake="An upsert of the queued task.",
    ),
    _leased(
        "RTY-08",
        "The failures of earlier attempts are kept, in order.",
        "The first error is often the one that explains.",
        history="claim 1 retries with A · claim 2 retries with B → history A, B",
        mistake="Newest first; the last one only.",
        capability="history",
    ),
    _store(
        "RES-01",
        "A result comes back as exactly the `bytes` that were given: empty, NUL, all byte values, "
        "long ones.",
        "The store does not know what the bytes mean.",
        history="claim 1 of t1 · succeed with 00 ff → result 00 ff",
        mistake="An empty result read as none; bytes that pass through text.",
    ),
    _store(
        "RES-02",
        "A failure's type, message and traceback come back as they were given: all of Unicode "
        "except "
        "lone surrogates, NUL included, long ones.",
        "An error that cannot be stored would hide the error.",
        history="claim 1 of t1 · fail with 'a\\0𝄞' → failure 'a\\0𝄞'",
        mistake="A column of 255 characters; a text type that refuses NUL.",
    ),
    _store(
        "RES-03",
        "Unknown, unfinished, failed and succeeded are four different answers.",
        "Who asks must know whether to wait, to read or to give up.",
        history="get t1 → None · put → no outcome · claim, fail → failure · (t2) succeed → result",
        mistake="One null for several of them.",
        needs=("ORD-03",),
    ),
    _store(
        "RES-04",
        "The first outcome stands; a different one for the same claim does not, and changes "
        "nothing.",
        "A result that was read must not change afterwards.",
        "MI",
        history="claim 1 of t1 succeeds → stands · claim 1 fails → does not stand, t1 stays "
        "succeeded",
        mistake="The last writer wins.",
    ),
    _store(
        "RES-05",
        "Purging by age removes what finished at `older_than` or before it, takes 0 as 0, and "
        "honours its states and its limit exactly.",
        "An operator who cleans up gets exactly what was asked for.",
        history="t1 done at 5, t2 done at 6 · purge older than 5 → 1, t2 is left",
        mistake="0 read as 'not given'; exclusive where inclusive is meant.",
    ),
    _store(
        "RES-06",
        "A finished task can be purged from `done + ttl` on, inclusive, and never before.",
        "The result is there as long as was promised.",
        history="ttl 5 · done at 0 · at 4.999999 purge → 0 · at 5 purge → 1",
        mistake="`<` for `<=`; a ttl that is rounded to seconds.",
    ),
    _store(
        "RES-07",
        "Reading a result any number of times changes nothing.",
        "Several may wait for one result.",
        history="t1 succeeded · get, get → the same record",
        mistake="Deleting on read.",
    ),
    _store(
        "RES-08",
        "No reader sees a finished task without its outcome, or an outcome without `done`.",
        "Half a result is a wrong result.",
        "IR",
        history="claim 1 of t1 succeeds while another gets t1 → running, or succeeded with its "
        "result",
        mistake="The state is written first, the result after it.",
    ),
    _store(
        "RES-09",
        "A recorded task (run in place) is complete, is never claimable, and changes nothing if "
        "its "
        "id is known.",
        "Eager mode leaves the same traces as a worker would.",
        history="record t1 succeeded → get has its result · claim → nothing",
        mistake="Putting it and finishing it in two steps.",
        needs=(),
    ),
    _store(
        "HIS-01",
        "Each ended attempt leaves its number, times, worker, outcome and failure; the newest "
        "`max_history` are kept.",
        "Why a task took four attempts can be read afterwards.",
        history="max_history 2 · three attempts → the second and third are kept, oldest first",
        mistake="An attempt that ended by loss leaves nothing; a release leaves something.",
        capability="history",
        needs=("ORD-03", "RTY-04"),
    ),
    _store(
        "HIS-02",
        "Progress and labels come back with the values and the types that were given.",
        "1, 1.0, True and '1' are four labels.",
        history="put t1 labels {n: 1, b: True} · heartbeat with progress p → both come back",
        mistake="All labels turned into text.",
        needs=(),
    ),
    _store(
        "HIS-03",
        "Tasks can be found by their labels: all those that match all that is given, no others.",
        "Labels are put on tasks in order to find them.",
        history="put t1 {a: 1}, t2 {a: 1, b: 2} · find {a: 1, b: 2} → t2",
        mistake="Any label instead of all; 1 found as True or '1'.",
        needs=("QRY-02",),
    ),
)
