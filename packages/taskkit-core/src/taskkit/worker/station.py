"""What the slots of a worker have in common, and what its other parts may ask of any slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from taskkit.records import Outcome, Settlement
from taskkit.worker.ledger import Verdict

if TYPE_CHECKING:
    from taskkit.context import TaskContext
    from taskkit.records import Claim
    from taskkit.task import Task
    from taskkit.worker.execution import Execution
    from taskkit.worker.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Station:
    """What a slot works with."""

    worker_id: str
    ledger: Ledger
    execution: Execution
    run_isolated: Callable[[Claim, TaskContext], Settlement]
    """Runs a claim in a child process."""
    settle: Callable[[Settlement], object]
    """Takes a settlement over; never blocks."""
    hungry: Callable[[], object]
    """Called when what lies ready for a group falls to its ``low`` mark."""
    watch: Callable[[float], object]
    """Called when an attempt begins whose deadline is this."""
    is_async: Callable[[Task], bool] | None
    is_isolated: Callable[[Task], bool] | None

    def needs_child(self, claim: Claim) -> bool:
        """Return whether a claim must run in a child process of its own.

        A task that was lost may have been what killed its worker: it takes no neighbour with it
        a second time.
        """
        return claim.losses > 0 or (self.is_isolated is not None and self.is_isolated(claim.task))

    def refuse(self, claim: Claim, verdict: Verdict) -> Settlement | None:
        """Return how a claim that must not be started is settled; None where it is not ours."""
        task_id, token = claim.task.id, claim.token
        if verdict is Verdict.FORGET:
            self.ledger.forget([(task_id, token)])
            return None
        if verdict is Verdict.CANCEL:
            return Settlement(task_id, token, Outcome.CANCEL)
        return Settlement(task_id, token, Outcome.RELEASE, due=None)


class Slots(Protocol):
    """The slots of one group: threads, or coroutines on the loop.

    ``low`` is armed by the claimer: when no more than so many claims lie ready, ``hungry`` is
    called once. −1: never.
    """

    group: str
    count: int
    low: int

    def hand(self, claims: Sequence[Claim]) -> None:
        """Let these claims be run, in this order, as slots become free."""
        ...

    def take_back(self) -> list[Claim]:
        """Return the claims that no slot has taken yet; they will not be run."""
        ...

    def ready(self) -> int:
        """Return how many claims lie ready for a free slot."""
        ...

    def outstanding(self) -> int:
        """Return how many claims are ready or running."""
        ...

    def work(self) -> tuple[int, float]:
        """Return how many claims were ever finished, and how many seconds they took."""
        ...

    def contexts(self) -> list[TaskContext]:
        """Return the attempts that are running."""
        ...

    def replace(self, context: TaskContext) -> bool:
        """Give up the slot in which this abandoned attempt is stuck, and open another.

        Returns False if the attempt has come to its end after all.
        """
        ...

    def stack(self, context: TaskContext) -> str:
        """Return where the code of an attempt is at this moment, as text."""
        ...

    def stop(self) -> None:
        """Let the slots end once they have nothing more to run."""
        ...
