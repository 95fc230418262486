"""What survives: DUR. What was once promised of events: EVT."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property, withdrawn

_durable = partial(Property, level="Durable", needs=("ORD-03", "RES-03"))

PROPERTIES: Final = (
    _durable(
        "DUR-01",
        "An acknowledged put survives the death of its client, and (b) a restart of the store.",
        "Acknowledged means: it is safe to forget it.",
        "X",
        history="a process puts t1 and is killed · another gets t1 → queued",
        mistake="Acknowledging before the commit.",
        capability="durable",
    ),
    _durable(
        "DUR-02",
        "Of a put that is cut short all tasks are there, or none.",
        "Half of an order is no order.",
        "X",
        history="put of t1…t100, killed · 0 or 100 are there",
        mistake="Batches, each with a transaction of its own.",
        capability="durable",
    ),
    _durable(
        "DUR-03",
        "Running tasks survive the death of their worker and come back after its lease.",
        "Processes die with work in their hands.",
        "X",
        history="w1 claims t1 and is killed · lease ends · reclaim · w2 claims t1",
        mistake="What runs is kept in the worker only; opening a client clears what runs.",
        capability="durable",
        needs=("ORD-03", "LEA-03"),
    ),
    _durable(
        "DUR-04",
        "When all is drained nothing is lost, nothing is unexpected, and nothing ran twice unless "
        "a "
        "lease had expired.",
        "The account must balance, whatever happened on the way.",
        "RX",
        history="1000 tasks, workers that are killed and stopped · 1000 outcomes",
        mistake="A rare path that drops or doubles.",
    ),
    _durable(
        "DUR-05",
        "An operation with an unknown outcome happened once or not at all.",
        "Who repeats it must be able to know what that means.",
        "X",
        history="put of t1, the connection is cut · repeat it → put or known, one t1",
        mistake="A driver that repeats by itself what is not idempotent.",
        capability="shared",
    ),
    _durable(
        "DUR-06",
        "After a dropped connection the next call works or raises Unavailable; it never gives a "
        "wrong "
        "answer.",
        "Connections drop; a client must heal by itself.",
        "X",
        history="connection cut · get t1 → its record, or Unavailable",
        mistake="A pool that hands out dead connections; a reply that is read by the next call.",
        capability="shared",
    ),
    _durable(
        "DUR-07",
        "One client can be used by several threads at once.",
        "A worker has many threads and one backend.",
        "R",
        history="8 threads put, claim and settle through one client → the account balances",
        mistake="One connection, no lock around it.",
    ),
    _durable(
        "DUR-08",
        "A task that is put within the caller's transaction is visible exactly when that commits.",
        "The order and its e-mail exist together or not at all.",
        history="begin · put t1 within · get t1 → None · commit → queued; rollback → None",
        mistake="A connection of one's own.",
        capability="transactional_put",
    ),
    *withdrawn(
        "Control is state that heartbeats read, not events (CTL).",
        *(f"EVT-{number:02}" for number in range(1, 9)),
    ),
)
