"""Which task comes next: ORD order, PRI priority, FAR fairness among subgroups, EXP expiry."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_queue = partial(Property, level="Queue", needs=("ORD-03",))

PROPERTIES: Final = (
    _queue(
        "ORD-01",
        "A claim gives the due tasks of a group in the order of priority (high first), due, id.",
        "Work waits its turn; nobody overtakes without a reason that can be seen.",
        history="put t1 due 2, t2 due 1 · at 3 claim 1 → t2",
        mistake="Ordering by the time of insertion, or by due alone.",
    ),
    _queue(
        "ORD-02",
        "A task is never claimed before its due.",
        "A reminder for tomorrow must not go out today.",
        "MR",
        history="put t1 due in 1 s · claim → nothing · 1 s later claim → t1",
        mistake="Comparing with the caller's clock instead of the store's.",
    ),
    _queue(
        "ORD-03",
        "A task whose due equals now is claimable.",
        "Without a rule for the boundary two stores disagree by one step of the clock.",
        history="put t1 due now · claim → t1",
        mistake="`due < now` where `due <= now` is meant.",
        needs=(),
    ),
    _queue(
        "ORD-04",
        "Tasks of equal priority and due are claimed by ascending id, by code point, whatever the "
        "store's collation.",
        "Order is the same on every store, so that a test on one tells about the others.",
        history="put B, a, A of one due · claims → A, B, a",
        mistake="A case-insensitive collation of the id column; the order of a hash.",
    ),
    _queue(
        "ORD-05",
        "A claim never gives a task of a group that was not wanted, however alike the names are.",
        "Workers of one group do not have the code of another.",
        history="put t1 in mail, t2 in Mail · claim of mail → t1 alone",
        mistake="LIKE without escapes, a prefix without its dot, a collation that folds case.",
    ),
    _queue(
        "ORD-06",
        "Without further puts k claims take k distinct due tasks until none is left: nothing is "
        "skipped for ever.",
        "A task that nobody ever sees is a lost task.",
        "MR",
        history="put t1…t5 · five claims of one → t1…t5, a sixth → nothing",
        mistake="Paging over a set that changes; an index entry that is lost.",
    ),
    _queue(
        "ORD-07",
        "A retried task takes its place by its new due.",
        "A retry that is due later must not hold up what is due now.",
        history="claim t1 · retry it due in 5 s · put t2 · claim → t2 · 5 s later claim → t1",
        mistake="The order's index keeps the old due.",
        needs=("RTY-04",),
    ),
    _queue(
        "ORD-08",
        "A reclaimed task keeps its due, and with it its place.",
        "The task has waited already; its worker's death is not its fault.",
        history="put t1 due 1, t2 due 2 · claim t1 · its worker dies · reclaim · claim → t1",
        mistake="Setting due to now when the task is queued again.",
        needs=("LEA-03",),
    ),
    _queue(
        "ORD-09",
        "Under concurrency a claim overtakes a task only if some operation on that task overlapped "
        "the claim in time.",
        "Strict order under concurrency costs too much; unbounded disorder would be starvation.",
        "IR",
        history="t1 and t2 queued, nobody touches t1 · claim → t1, never t2",
        mistake="Several internal shards that are popped in turn.",
    ),
    _queue(
        "ORD-10",
        "A clock that steps back loses nothing, repeats nothing and raises nothing.",
        "Clocks are corrected; that must not be an outage.",
        history="put t1 due now · clock 1 h back · claim → nothing · clock 1 h on · claim → t1",
        mistake="Remembering the largest now that was seen, and refusing smaller ones.",
    ),
    _queue(
        "PRI-01",
        "Among due tasks of a group the one of higher priority is claimed first.",
        "What is urgent goes first.",
        history="put t1 priority 0, t2 priority 5 · claim → t2",
        mistake="Ascending where descending is meant.",
    ),
    _queue(
        "PRI-02",
        "Priorities from -100 to 100 are accepted and kept; anything else is refused and nothing "
        "is written.",
        "The range is the same everywhere, so that a move to another store changes nothing.",
        history="put t1 priority 100 → put · put t2 priority 101 → InvalidTask",
        mistake="Clamping to the range; a column that is too narrow.",
        needs=(),
    ),
    _queue(
        "PRI-03",
        "Priority never beats due: a task that is not due is not claimed, whatever its priority.",
        "Urgent does not mean early.",
        history="put t1 due later priority 100, t2 due now priority -100 · claim → t2",
        mistake="One score made of priority and due, in which the priority outweighs the due.",
    ),
    _queue(
        "FAR-01",
        "Of k non-empty subgroups of a wanted group k claims of one serve each once.",
        "One tenant with a million tasks must not starve the others.",
        history="put 3 in mail.a, 1 in mail.b, 1 in mail.c · three claims of mail → a, b, c once "
        "each",
        mistake="Ordering over all subgroups together, or starting from the first one every time.",
    ),
    _queue(
        "FAR-02",
        "A want for `mail` takes from `mail` and `mail.x`, never from `mailing` or `mailing.x`.",
        "A name that begins alike is another name.",
        history="put t1 in mailing.x · claim of mail → nothing",
        mistake="A prefix comparison without the dot.",
    ),
    _queue(
        "FAR-03",
        "A claim does not become slower with subgroups that are empty or long gone.",
        "A subgroup for each customer is the use of them; customers come and go.",
        history="1000 subgroups used and drained · a claim costs what it cost before",
        mistake="A list of all subgroups ever seen that each claim walks through.",
    ),
    _queue(
        "FAR-04",
        "Nothing of an excluded group or of its subgroups is claimed, whatever is wanted.",
        "A worker that is told to leave a tenant alone leaves it alone.",
        history="put t1 in mail.a, t2 in mail.b · claim of mail excluding mail.a → t2",
        mistake="Excluding only when the group is wanted by its own name.",
    ),
    _queue(
        "EXP-01",
        "A task that was not claimed before its `expires` is never claimed; it becomes cancelled "
        "with that reason.",
        "Yesterday's reminder is worse than none.",
        "MI",
        history="put t1 expiring in 5 s · 5 s later claim → nothing, t1 is cancelled: expired",
        mistake="`expires < now` where `expires <= now` is meant; skipping the task without a "
        "word.",
    ),
)
