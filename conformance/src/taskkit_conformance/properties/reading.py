"""Many at once and looking in: BLK bulk, INT introspection."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_store = partial(Property, level="Store")

PROPERTIES: Final = (
    _store(
        "BLK-01",
        "A call with nothing in it has no effect and is no error.",
        "Callers need not look whether their list is empty.",
        history="put [] → [] · settle [] → [] · get [] → {}",
        mistake="`VALUES ()`, `IN ()`.",
    ),
    _store(
        "BLK-02",
        "A call with several parts ends in the same state as its parts one by one, in order.",
        "Batching is a matter of speed, not of meaning.",
        history="put [t1, t2] = put [t1], put [t2] · settle likewise",
        mistake="The values of the first applied to all.",
        needs=("ORD-03",),
    ),
    _store(
        "BLK-03",
        "One invalid member rejects the whole call before anything is written.",
        "The caller mends the one and repeats the call.",
        history="put [t1, invalid] → InvalidTask, t1 is unknown",
        mistake="Checking while writing.",
    ),
    _store(
        "BLK-04",
        "Of two equal ids or unique keys in one put the first wins.",
        "As if they were put one after the other.",
        history="put [t1 data a, t1 data b] → put, known; data a",
        mistake="A mapping by id, in which the last wins.",
    ),
    _store(
        "BLK-05",
        "The declared `max_batch` works, also beyond the store's limit of parameters.",
        "A limit that is declared can be relied on.",
        history="put of 10,000 tasks → all of them put",
        mistake="999 or 32,766 parameters in one statement.",
    ),
    _store(
        "BLK-06",
        "A claim of up to n gives at most n, distinct, in order, and fewer only if no more were "
        "claimable.",
        "Workers ask for as many as they have free slots.",
        "MI",
        history="put t1…t3 · claim 2 → t1, t2 · claim 2 → t3",
        mistake="The limit applied before blocked tasks are left out.",
        needs=("ORD-03",),
    ),
    _store(
        "BLK-07",
        "Operating on an id that is unknown is no error, and is answered so.",
        "Between looking and acting tasks go away.",
        history="delete nobody → UNKNOWN · cancel nobody → UNKNOWN",
        mistake="Raising; leaving the id out of the answer.",
    ),
    _store(
        "BLK-08",
        "A lookup has one entry for each distinct id, absent ones included.",
        "The caller can index the answer without a second thought.",
        history="get [t1, t1, nobody] → t1: its record, nobody: None",
        mistake="Leaving absent ids out.",
    ),
    _store(
        "BLK-09",
        "A put of more tasks than `max_batch` is refused before anything is written.",
        "A call is all or none; to split it in secret would make it something else.",
        history="kit.initiate_tasks with 10,001 tasks → InvalidInput, nothing is put",
        mistake="Two transactions; the driver's error for too many parameters.",
    ),
    _store(
        "INT-01",
        "A search for unclaimed tasks finds the waiting and the queued, told apart by due and now, "
        "its order and limit exact.",
        "What is left to do can be seen.",
        history="put t1 due now, t2 due later · find queued → t1 · find waiting → t2",
        mistake="One page too long; a state that is stored and grows stale.",
        needs=("QRY-02",),
    ),
    _store(
        "INT-02",
        "A search for running tasks finds exactly those, with their worker, token, attempt and "
        "`began`.",
        "What runs where can be seen.",
        history="w1 claims t1 at 5 → find running: t1, w1, began 5, attempt 1",
        mistake="Fields of the attempt before.",
        needs=("ORD-03", "QRY-02"),
    ),
    _store(
        "INT-03",
        "A lookup gives the task as it was put, field by field, with exact types, in every state.",
        "What goes in comes out.",
        history="put t1 with all fields · claim, settle → each lookup gives the same task",
        mistake="Tuples turned into lists, ints into floats, instants rounded.",
        needs=("BLK-08",),
    ),
    _store(
        "INT-04",
        "Reading changes nothing: find, get, count, workers, control.",
        "Who looks must not disturb.",
        history="any state · read all · read all again → the same",
        mistake="Cleaning up while listing.",
    ),
    _store(
        "INT-05",
        "The list of workers is ordered by expiry, then id, with those whose lease has expired "
        "until "
        "they are removed.",
        "Who died can be seen.",
        history="w1 expires at 5, w2 at 3 · at 4 → w2, w1",
        mistake="Hiding the expired ones.",
    ),
    _store(
        "INT-06",
        "Counts equal what a search finds, in every group and state.",
        "Two numbers for one thing are one too many.",
        history="any state · count → for each group and state the length of find",
        mistake="Counters that are kept beside the tasks and drift.",
        needs=("QRY-02",),
    ),
    _store(
        "INT-07",
        "Paging while others put and settle shows every unchanged task exactly once.",
        "A list of a live system is always read while it changes.",
        "MI",
        history="page 1 of t1…t4 · t1 is deleted, t5 is put · page 2 → t3 is not skipped",
        mistake="Offsets.",
        needs=("QRY-02",),
    ),
    _store(
        "INT-08",
        "`clear` removes everything of its namespace and touches nothing else.",
        "The next test, and the neighbour, must not notice.",
        history="any state · clear → no tasks, workers, schedules, pauses, limits",
        mistake="One table that is forgotten.",
    ),
    _store(
        "INT-09",
        "Two namespaces of one store do not see each other.",
        "Two applications can share a store.",
        history="put t1 in A · B: get t1 → None · B: clear · A: get t1 → its record",
        mistake="A prefix that is a prefix of the other.",
    ),
)
