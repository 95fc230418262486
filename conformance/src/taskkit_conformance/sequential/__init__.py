"""A queue whose operations happen one after the other: what concurrent histories must reduce to.

Small, immutable, and without any helper of a backend or of the reference model. Now stands still
while actors run, so a worker's lease has either expired or it has not. Freedom: a claim may pass
over due tasks (whether it was allowed to is for ``accounting.inversions`` to say, because stores
may skip rows that another transaction holds); a settlement that stood once may be repeated with
either answer after the task has moved on.
"""

from taskkit_conformance.sequential.state import Item, Queue
from taskkit_conformance.sequential.steps import knows, step

__all__ = ["Item", "Queue", "knows", "step"]
