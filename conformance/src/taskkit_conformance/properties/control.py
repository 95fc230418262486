"""What people do: CTL pausing, stopping, cancelling; QRY counting, finding, requeueing."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_control = partial(Property, level="Controlled", needs=("ORD-03", "CTL-03"))
_query = partial(Property, level="Store", needs=("ORD-03", "QRY-02"))

PROPERTIES: Final = (
    _control(
        "CTL-01",
        "A pause, a resume and a stop reach every worker with its next heartbeat.",
        "Who stops a group wants it stopped, on all hosts.",
        "MR",
        history="w1, w2 · pause g · each heartbeat tells g · resume → neither tells it",
        mistake="Told to the workers of one process only.",
    ),
    _control(
        "CTL-02",
        "A pause holds for workers that come later, and ends at its instant where one was given.",
        "A host that starts in the middle of a pause must not go ahead.",
        history="pause g for 5 s · w2 registers, claims → nothing · 5 s later claims → t1",
        mistake="An event that only those hear who listen.",
    ),
    _control(
        "CTL-03",
        "Cancelling a task that nobody has claimed is immediate and final.",
        "Answered DONE, it never runs.",
        "MI",
        history="put t1 · cancel → DONE · claim → nothing, t1 is cancelled",
        mistake="A mark that the claim does not look at.",
        needs=("ORD-03",),
    ),
    _control(
        "CTL-04",
        "Cancelling a running task is told to its worker by heartbeat; of cancel and settlement "
        "what "
        "came first stands.",
        "A person and a worker may act at the same moment.",
        "MIR",
        history="claim 1 of t1 · cancel → REQUESTED · heartbeat tells t1 · claim 1 succeeds → "
        "cancelled",
        mistake="A settlement that overwrites the request.",
    ),
    _control(
        "CTL-05",
        "All groups (None), no groups (empty) and a list of groups are told apart.",
        "An empty list must not stop everything.",
        history="pause [] → nothing is paused · pause None → all is",
        mistake="`if groups:`",
    ),
    _query(
        "QRY-01",
        "Counts and the oldest due for each group and state are exact.",
        "Alarms hang on them.",
        "MI",
        history="put t1 due 1, t2 due 2 in g · count → g queued 2, oldest due 1",
        mistake="Estimates; waiting and queued not told apart by due and now.",
    ),
    _query(
        "QRY-02",
        "A search goes through its matches by ascending id, at most `limit` in each page, and "
        "visits "
        "each task that does not change exactly once.",
        "A list with holes or doubles is no list.",
        "MI",
        history="put t1…t5 · pages of 2 → t1 t2, t3 t4, t5",
        mistake="Offsets over a list that changes.",
        needs=(),
    ),
    _query(
        "QRY-03",
        "Requeueing a failed, lost or cancelled task is one step and keeps its history; any other "
        "is "
        "refused.",
        "A second chance must not erase why it was needed.",
        "MI",
        history="t1 failed · requeue → queued, retry_count 0, its history kept",
        mistake="Deleting and putting anew.",
    ),
)
