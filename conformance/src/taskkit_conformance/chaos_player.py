"""A process of the chaos lane, as the one who started it sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from taskkit_conformance.history import NEVER, Operation, from_json
from taskkit_conformance.servers.program import Program


@dataclass(slots=True, eq=False)
class Player:
    """One process."""

    name: str
    program: Program
    _read: int = 0
    _partial: bytes = b""
    _operations: dict[int, Operation] = field(default_factory=dict)

    def operations(self) -> list[Operation]:
        """Return what it has called so far, in order; what has not ended is unknown."""
        with self.program.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        *lines, self._partial = (self._partial + new).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                operation = from_json(line.decode())
                self._operations[operation.called] = operation
        return list(self._operations.values())

    def ended(self, kind: str) -> list[Operation]:
        """Return the operations of a kind that were answered."""
        return [one for one in self.operations() if one.kind == kind and one.ending == "ok"]

    def held(self) -> set[tuple[str, int]]:
        """Return what it has claimed and not yet tried to settle, as far as it knows.

        What it held when it was told that it is not alive, it has dropped.
        """
        held: set[tuple[str, int]] = set()
        for one in self.operations():
            held.update(one.claims)
            if one.kind == "settle":
                held.discard(one.claim)
            elif one.kind == "register":
                held.clear()
            elif one.kind == "beat" and one.ending == "ok":
                held = {pair for pair in held if pair[0] not in one.answer["void"]}
        return held

    def is_within(self) -> str | None:
        """Return which operation it has called that has not ended; None if it is not in the store.

        Only of a frozen player it is still true when it is told.
        """
        last = self.operations()[-1:]
        return last[0].kind if last and last[0].returned == NEVER else None
