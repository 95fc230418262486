"""Who waits is woken: WAI."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_queue = partial(Property, level="Queue", needs=("ORD-03",))

PROPERTIES: Final = (
    _queue(
        "WAI-01",
        "Whatever makes a task claimable wakes those who wait for its group: a put, the end of a "
        "claim that queues it again or frees its lock or place, a requeue, a reschedule, a resume, "
        "another limit, the end of its worker.",
        "A worker that is not woken sleeps beside its work.",
        "R",
        history="a waits for mail · b puts t1 in mail.acme → a's wait answers true",
        mistake="Only puts wake; the next task of a lock waits for a poll.",
    ),
    _queue(
        "WAI-02",
        "What becomes claimable between a claim and the wait after it ends that wait.",
        "Else a task lies there until the next one comes.",
        "MR",
        history="a claims → nothing · b puts t1 · a waits → true, at once",
        mistake="Comparing with what was there when the wait began; a signal that nobody heard.",
    ),
    _queue(
        "WAI-03",
        "To close a client ends all that wait in it.",
        "A process that is to stop must not sleep on.",
        "R",
        history="a thread waits for 600 s · close → it goes on",
        mistake="Closing the connections, and not the condition that threads wait for.",
    ),
    _queue(
        "WAI-04",
        "To wait for a task ends when it is finished or gone, however it ended, and at once where "
        "it is so already.",
        "A caller wants the result, and wants to know when there will be none.",
        "R",
        history="a waits for t1 · b deletes t1 → a's wait_done answers true",
        mistake="Only success wakes; whoever asks for a task that is gone waits for ever.",
    ),
    _queue(
        "WAI-05",
        "To wait ends by itself when its time is over, and says that nothing came.",
        "Whoever waits has other things to do as well.",
        "R",
        history="wait for mail, 0.01 s → false · wait_done of a waiting task, 0 s → false",
        mistake="A timeout of 0 that means for ever; milliseconds taken for seconds.",
    ),
)
