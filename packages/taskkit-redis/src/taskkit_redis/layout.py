"""The layout of the keys: its version, and what every client of a store has to agree on."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from redis.crc import key_slot

from taskkit.errors import BackendError, InvalidSetting, SchemaMismatch, Unavailable
from taskkit_redis.nodes import Node
from taskkit_redis.store import Store

VERSION: Final = 2
"""Of the layout that is described in docs/redis.md. 1 was never released; it indexed finished tasks
one by one."""

_log = logging.getLogger("taskkit.redis")


def prepare(store: Store) -> None:
    """Enter the layout where there is none, and refuse one that is not ours.

    Raises:
        SchemaMismatch: the store was written by a newer version, or is divided in another way.
        InvalidSetting: the server may evict tasks.
    """
    key = layout_key(store)
    node = store.topology.node(key_slot(key.encode()))
    _check_eviction(store, node)
    wanted = _wanted(store)
    # Two that begin at once write the same, or the second is refused.
    node.run_one("SETNX", key, json.dumps(wanted, sort_keys=True))
    found = _read(node.run_one("GET", key))
    version = found.get("version", 0)
    if version > VERSION:
        raise SchemaMismatch(
            f"the store {store.settings.prefix!r} has layout {version}, this version of "
            f"taskkit-redis knows layouts up to {VERSION}; upgrade taskkit-redis"
        )
    if version < VERSION:
        raise SchemaMismatch(
            f"the store {store.settings.prefix!r} has layout {version!r} of an unreleased version, "
            f"this one knows layout {VERSION}; use another prefix, or remove the old one's keys"
        )
    for name in ("partitions", "shards"):
        if found.get(name) != wanted[name]:
            raise SchemaMismatch(
                f"{name}: the store {store.settings.prefix!r} was made with {found.get(name)!r}, "
                f"this client says {wanted[name]!r}; all clients of a store must agree"
            )


def layout_key(store: Store) -> str:
    """Return the key that tells the layout."""
    return f"{{{store.settings.prefix}}}:layout"


def _wanted(store: Store) -> dict[str, Any]:
    return {
        "version": VERSION,
        "partitions": store.count,
        "shards": {group: n for group, n in sorted(store.settings.shards.items()) if n > 1},
    }


def _read(stored: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(stored or b"")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SchemaMismatch(f"the layout of the store cannot be understood: {stored!r}")
    return found


def _check_eviction(store: Store, node: Node) -> None:
    if store.settings.allow_eviction:
        return
    try:
        told = node.run_one("INFO", "memory")
    except Unavailable:
        raise
    except BackendError:
        _log.info("INFO is not allowed: the eviction policy was not checked")
        return
    lines = dict(line.split(":", 1) for line in told.decode().splitlines() if ":" in line)
    policy = lines.get("maxmemory_policy", "")
    if policy.startswith("allkeys"):
        raise InvalidSetting(
            f"the server at {node.where} has maxmemory-policy {policy}: when its memory is full it "
            "throws queued tasks away. Set it to noeviction, or open the store with "
            "allow_eviction=True"
        )
