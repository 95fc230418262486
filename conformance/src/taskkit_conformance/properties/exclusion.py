"""What keeps tasks apart: EXC exclusive claims, UNQ unique keys, LIM locks, limits and rates."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property, withdrawn

_queue = partial(Property, level="Queue", needs=("ORD-03",))

PROPERTIES: Final = (
    _queue(
        "EXC-01",
        "At any instant a task has at most one live claim.",
        "Two workers that send the same invoice are the worst that a queue can do.",
        "MIRX",
        history="put t1 · w1 claims t1 · w2 claims → nothing",
        mistake="Reading the head and marking it in two steps.",
    ),
    _queue(
        "EXC-02",
        "N claimers over M due tasks obtain exactly min(N, M) distinct tasks.",
        "No task is taken twice, and none is left while somebody asks.",
        "IR",
        history="2 tasks, 3 claimers at once → two of them get one task each, the third none",
        mistake="All claimers look at the same head, and all but one go away empty.",
    ),
    _queue(
        "EXC-03",
        "A running task is found among the running only, an unclaimed one never among them.",
        "An operator counts what is left; a task in two places is counted twice.",
        "MI",
        history="put t1 · claim t1 · find queued → nothing · find running → t1",
        mistake="Two indexes that are changed in two steps.",
    ),
    _queue(
        "EXC-04",
        "Putting an id that is known changes nothing, in every state of the task.",
        "A put is repeated when its answer was lost; it must not reset or double the task.",
        "MI",
        history="put t1 · claim t1 · put t1 with other data → known, t1 still runs as it was",
        mistake="An upsert; a set of known ids that forgets running or finished tasks.",
    ),
    _queue(
        "EXC-05",
        "A finished task is never claimed again.",
        "Done is done.",
        "MIR",
        history="claim 1 of t1 · succeed · any claims and reclaims → t1 stays succeeded",
        mistake="A late reclaim or put that queues the task without a look at its state.",
        needs=("RES-03",),
    ),
    _queue(
        "EXC-06",
        "Discarding removes the task and voids the claim; no later outcome brings it back.",
        "A task that was dropped must not rise again.",
        "MI",
        history="claim 1 of t1 · discard · claim 1 succeeds → does not stand, t1 is unknown",
        mistake="Writing the outcome with an upsert.",
    ),
    _queue(
        "EXC-07",
        "A claim that is interrupted at any point leaves the task queued or running, never neither "
        "and never both.",
        "Processes die in the middle of every line.",
        "IX",
        history="claim of t1, killed half way · t1 is queued, or running and taken back by reclaim",
        mistake="Remove from one list, add to another, no transaction around both.",
    ),
    *withdrawn(
        "The protocol has no locks; lock_key (LIM) does their work.",
        *("EXC-08", "EXC-09", "EXC-10", "EXC-11"),
    ),
    _queue(
        "UNQ-01",
        "Of one group at most one waiting or queued task has a given unique key, whoever races.",
        "A button that is pressed twice starts one import.",
        "MIR",
        history="put t1 key k · put t2 key k → duplicate of t1",
        mistake="Looking the key up and inserting in two steps.",
        needs=(),
    ),
    _queue(
        "UNQ-02",
        "A put whose key is taken changes nothing and answers with the id of the task that holds "
        "it.",
        "The caller can wait for the task that does the work.",
        "MI",
        history="put t1 key k · put t2 key k → duplicate, t1's id; t2 is unknown",
        mistake="Answering with the new id; storing the new task as a cancelled one.",
        needs=(),
    ),
    _queue(
        "UNQ-03",
        "With the scope `unfinished` a key is taken while its task runs, too.",
        "One import at a time, not one waiting import at a time.",
        history="put t1 key k unfinished · claim t1 · put t2 key k → duplicate of t1",
        mistake="The key is freed by the claim whatever the scope.",
    ),
    _queue(
        "UNQ-04",
        "The key is free again once its task was claimed (scope `queued`) or finished or is gone.",
        "A key that is never freed stops that work for ever.",
        history="put t1 key k · claim t1 · put t2 key k → put",
        mistake="One way out that forgets the key: discard, delete, cancel, expiry, loss.",
    ),
    _queue(
        "UNQ-05",
        "A task that returns to the queue while another holds its key becomes cancelled: "
        "superseded "
        "by that task.",
        "Both rules hold: one waiting task for a key, and no task vanishes without a word.",
        "MI",
        history="t1 key k runs · put t2 key k · claim 1 of t1 retries → t1 cancelled, superseded "
        "by t2",
        mistake="Two queued tasks of one key; an integrity error of the store.",
        needs=("RTY-04",),
    ),
    _queue(
        "UNQ-06",
        "Unique keys of different groups are independent.",
        "Groups belong to different people.",
        history="put t1 in g key k · put t2 in h key k → put",
        mistake="An index over the key alone.",
        needs=(),
    ),
    _queue(
        "LIM-01",
        "Of one group at most `lock_limit` running tasks have a given lock key, one by default.",
        "Two tasks that write one file must not run at once.",
        "MIR",
        history="put t1, t2 lock k · claim 2 → t1 alone",
        mistake="Counting the running tasks and claiming in two steps.",
    ),
    _queue(
        "LIM-02",
        "Tasks that wait for a lock or a limit block nobody else, and are not polled.",
        "A thousand tasks for one account must not stop all others.",
        history="put t1, t2 lock k, t3 · claim 1 → t1 · claim 1 → t3",
        mistake="The head of the queue is blocked, and so is everything behind it.",
    ),
    _queue(
        "LIM-03",
        "A lock or a place is free again as soon as its holder is settled, deleted or reclaimed, "
        "and "
        "the next task is claimable at once.",
        "A limit that leaks ends in standstill.",
        "MRX",
        history="put t1, t2 lock k · claim → t1 · succeed · claim → t2",
        mistake="One way out of running that forgets the lock: loss, discard, delete.",
    ),
    _queue(
        "LIM-04",
        "At most `max_running` tasks of a group run at once, over all workers.",
        "The limit protects what the tasks call, which does not know of workers.",
        "MIR",
        history="g limited to 1 · put t1, t2 · w1 claims 2 → t1 · w2 claims → nothing",
        mistake="A count for each worker.",
    ),
    _queue(
        "LIM-05",
        "At most n tasks of a group are claimed in any period of its rate, over all workers, and "
        "waiting for it burns no attempt.",
        "A foreign service bans those who ask too often.",
        "MIR",
        history="g limited to 1 in 10 s · put t1, t2 · claim → t1 · claim → nothing · 10 s later "
        "→ t2",
        mistake="Fixed windows, which let 2n through around their border.",
    ),
    _queue(
        "LIM-06",
        "A put that would bring a group above its `max_queue_size` raises QueueFull and puts "
        "nothing.",
        "A full queue is told to the producer while it can still do something about it.",
        "MI",
        history="g limited to 2 · put t1 · put t2 and t3 → QueueFull, neither is known",
        mistake="Putting those that fit.",
        needs=(),
    ),
    _queue(
        "LIM-07",
        "Ten thousand blocked tasks do not slow the claims of others.",
        "Blocked tasks are parked, not rescanned.",
        history="10,000 tasks behind lock k · a claim of another task costs what it cost before",
        mistake="Each claim walks over all that is blocked.",
    ),
)
