"""Who holds a task: LEA leases and fencing, LST what becomes of the work of the dead."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_leased = partial(Property, level="Leased", needs=("ORD-03", "LEA-03"))
_claimed = partial(Property, level="Leased", needs=("ORD-03",))

PROPERTIES: Final = (
    _claimed(
        "LEA-01",
        "Every claim of a task has a larger token than all earlier ones, across restarts too.",
        "The token is what tells a worker that woke up from its successor.",
        "MRX",
        history="claim 1 of t1 · retry · claim 2 of t1 → a larger token",
        mistake="A counter in memory; a token that depends on a clock that steps back.",
    ),
    _leased(
        "LEA-02",
        "A claim whose worker is alive is not reclaimed, however long the task runs.",
        "A slow task must not run twice.",
        "MI",
        history="claim 1 of t1 · heartbeat for an hour · reclaim → nothing",
        mistake="A lease for each claim that the heartbeat does not reach.",
    ),
    _claimed(
        "LEA-03",
        "A lease has expired exactly when `expires <= now`; then its tasks can be reclaimed, and "
        "the worker claims nothing more.",
        "At the boundary all have to agree who the owner is.",
        history="lease of 10 s · claim 1 of t1 · at 9.999999 reclaim → nothing · at 10 reclaim → "
        "t1",
        mistake="`expires < now`; rounding the lease to whole seconds.",
    ),
    _leased(
        "LEA-04",
        "Reclaim voids the claims that it takes back, and leaves newer claims alone.",
        "Who is declared dead has lost the task, even if he comes back.",
        "MI",
        history="claim 1 of t1 · lease ends · reclaim · claim 2 of t1 by w2 · reclaim → nothing",
        mistake="Reclaiming by the task's id, whoever holds it by now.",
    ),
    _leased(
        "LEA-05",
        "A success with an outdated token does not stand and changes nothing.",
        "A process that was paused past its lease must not overwrite what its successor did.",
        "MIR",
        history="claim 1 of t1 · lease ends · reclaim · claim 2 of t1 · claim 1 succeeds → does "
        "not stand",
        mistake="The update names the task's id and not its token.",
    ),
    _leased(
        "LEA-06",
        "A failure, retry, discard, release, cancel or loss with an outdated token does not stand "
        "and changes nothing.",
        "As for success: the successor owns the task.",
        "MIR",
        history="claim 1 of t1 · lease ends · reclaim · claim 2 of t1 · claim 1 discards → t1 "
        "still runs",
        mistake="Fencing the success alone.",
    ),
    _leased(
        "LEA-07",
        "A heartbeat extends the lease of the worker, and so all its claims, and revives none that "
        "was lost.",
        "One call for each process, whatever it runs.",
        "MI",
        history="lease ends · reclaim · heartbeat → not alive, and t1 stays queued",
        mistake="An upsert of the worker's row: the dead rises without its claims.",
    ),
    _claimed(
        "LEA-08",
        "A heartbeat never shortens a lease.",
        "Heartbeats can arrive late and out of order.",
        "MI",
        history="lease of 100 s · heartbeat with 1 s · 50 s later the worker is alive",
        mistake="Setting the expiry instead of raising it.",
    ),
    _leased(
        "LEA-09",
        "Reclaim removes a worker only if its lease has expired at that moment: one that has just "
        "beaten or registered anew stays.",
        "Between looking and acting the worker may have come back.",
        "MI",
        history="lease ends · w1 registers anew while reclaim looks → w1 is alive",
        mistake="Select the expired workers, then delete them by id.",
    ),
    _leased(
        "LEA-10",
        "Of concurrent reclaimers exactly one takes a task back.",
        "A loss is counted once, and the task is queued once.",
        "IR",
        history="w1 dead with t1 · two reclaim at once → one of them takes t1, losses is 1",
        mistake="Looking and acting in two steps.",
    ),
    _leased(
        "LEA-11",
        "Each claim raises `attempt` by one, also after a reclaim; a release takes it back.",
        "A task that kills its workers can be recognised.",
        history="claim 1 of t1 → attempt 1 · worker dies · reclaim · claim 2 of t1 → attempt 2",
        mistake="Counting at the end of an attempt, which a dead worker never reaches.",
    ),
    _leased(
        "LEA-12",
        "Of a settlement and a reclaim that race on one claim exactly one takes effect, and the "
        "loser is told.",
        "Otherwise a finished task runs again, or a lost one counts as finished.",
        "IR",
        history="lease of w1 ends while claim 1 of t1 succeeds → succeeded and stands, or queued "
        "and not",
        mistake="Two updates that do not look at each other's condition.",
    ),
    _claimed(
        "LEA-13",
        "A running task that its live worker does not hold is claimable again after its second "
        "heartbeat.",
        "A claim whose reply was lost must not strand the task while the worker lives.",
        history="w1 claims t1, the reply is lost · two heartbeats without t1 → t1 is queued, "
        "attempt kept",
        mistake="Trusting that every reply arrives; taking back claims that are still on their "
        "way.",
    ),
    _leased(
        "LEA-14",
        "Reclaim sees every orphan, however many live claims are older.",
        "Work of the dead must not wait behind work of the living.",
        history="1000 running tasks of live workers, then one orphan · reclaim(1) → the orphan",
        mistake="A limit on the running tasks that are looked at, instead of on those taken back.",
    ),
    _leased(
        "LST-01",
        "A task is queued again after its worker's death, `losses` one higher, until `max_lost` "
        "deaths; then it is `lost`.",
        "Hosts die; but a task that kills three workers is the cause.",
        history="max_lost 2 · claim, die, reclaim → queued · claim, die, reclaim → lost",
        mistake="One too many or too few; retries counted as losses.",
    ),
    _leased(
        "LST-02",
        "`on_lost` decides what becomes of a task whose worker died: queued again, kept as lost, "
        "or failed.",
        "Some work must not be repeated without a person's look.",
        history="on_lost keep · claim, die, reclaim → lost · on_lost fail → failed: worker died",
        mistake="Honouring it in reclaim and not in `retire(lost=True)` or LOSE.",
    ),
    _leased(
        "LST-03",
        "Lost tasks can be requeued and deleted.",
        "Kept for a person means that the person can do something.",
        history="t1 lost · requeue → queued, losses 0 · t2 lost · delete → gone",
        mistake="A state without a way out.",
    ),
    _claimed(
        "LST-04",
        "Releasing a claim and retiring in good order count neither attempt nor loss.",
        "A deployment is nobody's fault.",
        history="claim 1 of t1 · release → attempt 0, losses 0 · claim, retire → the same",
        mistake="One path for the stop and for the crash.",
    ),
    _leased(
        "LST-05",
        "A task that was lost once is next run in a child process of its own.",
        "A task that kills its process takes no neighbour with it a second time.",
        "X",
        history="t1 kills its worker · next claim of t1 has losses 1 → the worker runs it in a "
        "child",
        mistake="Running it beside the others again.",
        scope="core",
    ),
)
