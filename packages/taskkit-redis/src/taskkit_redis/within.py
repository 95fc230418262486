"""``put(within=…)``: tasks that exist if and only if the caller's MULTI is executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.client import Pipeline

from taskkit.errors import Unsupported
from taskkit.records import PutResult
from taskkit.task import NewTask
from taskkit_redis import codec
from taskkit_redis.scripts import script
from taskkit_redis.store import Store

WITHIN: Final = "a redis-py Pipeline with transaction=True on the same server and database"


def put_within(store: Store, tasks: Sequence[NewTask], within: object) -> list[PutResult]:
    """Queue the tasks behind the caller's commands.

    What becomes of them is only known when the pipeline is executed: all are told as put. If the
    group is full by then, or a key is held, none respectively not that one is put.
    """
    pipeline = _pipeline(store, within)
    if not tasks:
        return []
    store.ready()
    chosen = script("put_within")
    parts = [part for task in tasks for part in codec.task_arguments(task)]
    # By its text, not by its hash: within MULTI nobody could load it if the server forgot it.
    pipeline.execute_command("EVAL", chosen.text, 1, *store.arguments(0, "", "", *parts))
    return [PutResult(task.id) for task in tasks]


def _pipeline(store: Store, within: object) -> Any:
    kind = f"{type(within).__module__}.{type(within).__qualname__}"
    if store.settings.server.kind == "cluster":
        raise Unsupported(f"within: a cluster has no transaction over several slots, found {kind}")
    if not isinstance(within, Pipeline):
        raise Unsupported(f"within: expected {WITHIN}, found {kind}")
    # The attribute hides a method of the same name.
    if not vars(within).get("transaction"):
        raise Unsupported(f"within: expected {WITHIN}, found one with transaction=False")
    if within.watching and not within.explicit_transaction:
        # redis-py executes at once what is said between watch() and multi().
        raise Unsupported(
            f"within: expected {WITHIN}, found one that watches and has not begun its transaction; "
            "call its multi() before"
        )
    theirs = _place(within.connection_pool.connection_kwargs)
    ours = _place(getattr(store.topology.node(0).connect, "keywords", None) or {})
    if ours and theirs and ours != theirs:
        raise Unsupported(f"within: expected {WITHIN}, found one on {theirs} (ours is on {ours})")
    return within


def _place(arguments: dict[str, Any]) -> tuple[Any, ...] | None:
    if "path" in arguments:
        return arguments["path"], arguments.get("db") or 0
    if "host" not in arguments:
        return None  # behind sentinels: the address is only known when it is connected
    host = {"localhost": "127.0.0.1"}.get(arguments["host"], arguments["host"])
    return host, arguments.get("port", 6379), arguments.get("db") or 0
