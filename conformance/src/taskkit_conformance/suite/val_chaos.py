"""How the failures of a store arrive."""

from __future__ import annotations

from collections.abc import Callable

from taskkit.backend import Backend
from taskkit.errors import BackendError
from taskkit.records import Outcome, Query, Settlement, WorkerInfo
from taskkit.task import NOW
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, Troupe, troupe
from taskkit_conformance.chaos_actor import bulk_task
from taskkit_conformance.check import proves
from taskkit_conformance.servers.urls import is_remote


@proves("VAL-10", lane="chaos")
def failures_are_backend_errors(case: Case) -> None:
    """The store goes away, or cannot write: each call raises BackendError, with its cause."""
    with troupe(case) as cast:
        if cast.has_network():
            _unreachable(case, cast)
        else:
            _unwritable(case, cast)


def _unreachable(case: Case, cast: Troupe) -> None:
    proxy, url = cast.proxied()
    client = cast.open(url)
    client.count()
    proxy.refuse()
    for name, call in calls(client).items():
        try:
            call()
        except BackendError as error:
            case.require(
                error.__cause__ is not None,
                f"expected {name}'s {type(error).__name__} with a cause",
            )
        except Exception as error:  # noqa: BLE001 - whatever a backend raises is evidence
            found = f"{type(error).__module__}.{type(error).__name__}: {error}"
            case.violated(f"expected BackendError of {name} without a store, found {found}")
        else:
            case.violated(f"expected BackendError of {name} without a store, found an answer")
    proxy.heal()
    cast.until("an answer when the store is back", lambda: _answers(client))


def calls(client: Backend) -> dict[str, Callable[[], object]]:
    """Return one call of each method that needs the store."""
    task = bulk_task("away", 1, 1)
    ids = [task.id]
    return {
        "put": lambda: client.put([task]),
        "claim": lambda: client.claim("w", {"g": 1}),
        "settle": lambda: client.settle("w", [Settlement(task.id, 1, Outcome.SUCCEED)]),
        "register": lambda: client.register(WorkerInfo("w", {"g": 1}), LEASE),
        "heartbeat": lambda: client.heartbeat("w", LEASE, [], {}),
        "retire": lambda: client.retire("w"),
        "reclaim": client.reclaim,
        "workers": client.workers,
        "get": lambda: client.get(ids),
        "record": lambda: client.record(task, Settlement(task.id, 0, Outcome.SUCCEED), 0),
        "load_schedule": lambda: client.load_schedule("s"),
        "advance_schedule": lambda: client.advance_schedule("s", 0, b"", [task]),
        "cancel": lambda: client.cancel(ids),
        "requeue": lambda: client.requeue(ids, NOW),
        "reschedule": lambda: client.reschedule(ids, NOW),
        "delete": lambda: client.delete(ids),
        "purge": client.purge,
        "count": client.count,
        "find": lambda: client.find(Query(), 1),
        "pause": lambda: client.pause(["g"]),
        "resume": lambda: client.resume(["g"]),
        "stop": lambda: client.stop(["g"]),
        "control": client.control,
    }


def _answers(client: Backend) -> bool:
    try:
        client.count()
    except BackendError:
        return False
    return True


def _unwritable(case: Case, cast: Troupe) -> None:
    """A store that is files: in a process that may not write any, and later may."""
    [player] = cast.start("starve", "s")
    cast.until("puts after the trouble", lambda: len(player.ended("put")) == 2)
    [told] = [one for one in player.operations() if one.kind == "starve"]
    troubles = [trouble for trouble in told.answer if trouble is not None]
    if not troubles and is_remote(cast.place.url or ""):
        case.no_means("a failure of the store: its connections cannot be cut from here")
    if not troubles:
        case.not_applicable("a failure of the store: it needs neither a network nor files")
    for *families, cause in troubles:
        case.require(
            "BackendError" in families, f"expected BackendError, found {families[0]}", found=cause
        )
        case.require(cause, f"expected {families[0]} with the driver's error as its cause")
