"""The chaos lane: processes that work, and what is done to them.

A ``Troupe`` starts players (``chaos_actor``), each a process of its own that opens the store by
name and URL alone, kills, freezes and wakes them, and gathers what they have written. It leaves no
process behind, however its check ends. Nothing here waits for a time: it waits until something is
so, and says that it never was.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, NoReturn

from taskkit.backend import Backend
from taskkit.clock import SECOND, monotonic, sleep
from taskkit_conformance.actors import perform
from taskkit_conformance.case import Case
from taskkit_conformance.chaos_actor import PART, READY
from taskkit_conformance.chaos_player import Player
from taskkit_conformance.harness import Namespace
from taskkit_conformance.history import Operation, Recorder, numbered, to_json
from taskkit_conformance.patience import Patience
from taskkit_conformance.proxy import Proxy
from taskkit_conformance.servers.program import Program
from taskkit_conformance.servers.urls import address_of, at_address, is_remote
from taskkit_conformance.steps import Hands, Step
from taskkit_conformance.timeline import timeline

LEASE: Final = SECOND * 6 // 10
"""What workers get: short, so that the dead are found soon; a slow machine only makes them register
anew."""

PATIENCE: Final = 30.0
"""Seconds after which what has not happened counts as never happening, of those in which this
process could have computed."""

_POLL: Final = 0.005
_SHOWN: Final = 60
_WIDTH: Final = 200


class Troupe:
    """All that one check starts, and what was done and seen."""

    def __init__(self, case: Case, place: Namespace, folder: Path, opened: ExitStack) -> None:
        self.case = case
        self.place = place
        self.players: list[Player] = []
        self.notes: list[str] = []
        """What was done to players and store, in words."""
        self.folder = folder
        """For files; it goes with the troupe."""
        self._opened = opened
        self._recorder = Recorder()
        self._direct: Backend | None = None
        self._began = monotonic()

    # ---- players

    def start(self, part: str, *names: str, url: str | None = None, **told: Any) -> list[Player]:
        """Start a player for each name, and return when all have opened the store."""
        started = self.launch(part, *names, url=url, **told)
        for player in started:
            player.program.wait_ready()
        return started

    def launch(self, part: str, *names: str, url: str | None = None, **told: Any) -> list[Player]:
        """Start a player for each name, and return at once."""
        self.note(f"start {', '.join(names)}")
        return [self._launch(part, name, url or self.place.url, told) for name in names]

    def _launch(self, part: str, name: str, url: str | None, told: dict[str, Any]) -> Player:
        log = self.folder / f"{name}.log"
        whole = {
            "part": part,
            "name": name,
            "backend": self.place.backend,
            "url": url,
            "options": dict(self.place.options),
            "lease": LEASE,
            "seed": len(self.players),
            **told,
        }
        program = Program(
            [sys.executable, "-m", "taskkit_conformance.chaos_actor"],
            log,
            lambda: READY.encode() in log.read_bytes()[:200],
            environment={PART: json.dumps(whole), "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        player = Player(name, program)
        self.players.append(player)
        program.launch()
        self._opened.callback(program.kill)
        return player

    def kill(self, *players: Player) -> None:
        """Kill players where they stand."""
        for player in players:
            player.program.kill()
        self.note(f"kill {', '.join(player.name for player in players)}")

    def kill_within(
        self, player: Player, kind: str, meanwhile: Callable[[], object] = lambda: None
    ) -> Operation:
        """Kill a player in the middle of an operation of this kind, and return the operation.

        ``meanwhile`` is done after each look that came at another moment.
        """
        self._kill_where(player, f"a moment within {kind} of {player.name}", kind, meanwhile)
        return player.operations()[-1]

    def kill_between(self, player: Player) -> None:
        """Kill a player that has been answered everything, and has not called again."""
        self._kill_where(player, f"a moment between the calls of {player.name}", None)

    def _kill_where(
        self,
        player: Player,
        where: str,
        within: str | None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Freeze a player at any moment, and kill it if that is one; else it goes on, and again."""

        def caught() -> bool:
            player.program.pause()
            if player.is_within() == within and player.operations():
                return True
            player.program.resume()
            meanwhile()
            return False

        self.until(where, caught)
        self.kill(player)

    # ---- the store

    @property
    def client(self) -> Backend:
        """A client of our own, straight to the store."""
        if self._direct is None:
            self._direct = self.open()
        return self._direct

    def open(self, url: str | None = None) -> Backend:
        """Return a new client that goes by the store's own clock; closed with the troupe."""
        place = self.place if url is None else replace(self.place, url=url)
        client = self.case.harness.open(place, None)
        self._opened.callback(_quietly(client.close))
        return client

    def reopen(self) -> None:
        """Close our own client; the next call opens another."""
        if self._direct is not None:
            self._direct.close()
            self._direct = None

    def do(self, step: Step, client: Backend | None = None) -> Operation:
        """Perform a step with our own client, and write it down."""
        perform("driver", client or self.client, [step], self._recorder, Hands())
        self.case.moved()
        return self._recorder.history()[-1]

    def sure(self, step: Step) -> Any:
        """Perform a step with our own client until it is answered, and return the answer."""
        done = self.until("an answer of the store", lambda: _answered(self.do(step)))
        return done.answer

    def first_reclaim(self) -> Operation:
        """Return the first reclaim of our own that took something back."""
        return next(
            one
            for one in self._recorder.history()
            if one.kind == "reclaim" and one.ending == "ok" and one.answer["tasks"]
        )

    def proxied(self) -> tuple[Proxy, str]:
        """Return a proxy before the store, and the URL through it; it is closed with the troupe."""
        url = self.place.url
        address = address_of(url)
        if url is None or not is_remote(url):
            self.case.not_applicable(
                "a connection that can be cut: the store is not reached by one"
            )
        if address is None:
            self.case.no_means(
                "a connection that can be cut: the URL does not name one server of a network"
            )
        proxy = Proxy(address)
        self._opened.callback(proxy.close)
        return proxy, at_address(url, proxy.address)

    def has_network(self) -> bool:
        """Return whether there is a connection that can be cut."""
        return address_of(self.place.url) is not None

    def restart(self) -> bool:
        """Kill the store and start it again, where the harness can; return whether it did."""
        if self.case.harness.restart is None:
            return False
        self.case.harness.restart(self.place)
        self.note("kill and restart the store")
        return True

    # ---- waiting and judging

    def until(self, what: str, holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until something holds, and return it; it is a violation if it never does."""
        limit = Patience(seconds)
        while not (found := holds()):
            for player in self.players:
                if player.program.status():
                    self.violated(f"{player.name} ended by itself: {player.program.last_words()}")
            if limit.is_over():
                self.violated(f"expected {what} within {seconds:.0f} s, found none")
            self.case.moved()
            sleep(_POLL)
        return found

    def history(self) -> list[Operation]:
        """Return all that was done by anybody."""
        operations = self._recorder.history()
        for player in self.players:
            operations += player.operations()
        return numbered(operations)

    def note(self, what: str) -> None:
        """Write down what was done to players and store."""
        self.notes.append(f"{monotonic() - self._began:6.2f} s  {what}")
        self.case.moved()

    def require(self, holds: object, sentence: str, *about: Operation | str) -> None:
        """Go on only if something holds; else show the operations that it is about."""
        self.case.met()
        if not holds:
            self.violated(sentence, *about)

    def violated(self, sentence: str, *about: Operation | str) -> NoReturn:
        """Report that the property does not hold, with the time-line."""
        story = self.history()
        report(self.case, sentence, story, self.notes, about)


def report(
    case: Case,
    sentence: str,
    story: list[Operation],
    notes: Iterable[str],
    about: Iterable[Operation | str] = (),
) -> NoReturn:
    """Report a violation: what was done to players and store, and the operations in question."""
    ids = {one for one in about if isinstance(one, str)}
    ids.update(*(one.ids() for one in about if isinstance(one, Operation)))
    # Heartbeats concern every task, and there are too many of them.
    shown = [one for one in story if not ids.isdisjoint(one.ids())] if ids else story
    lines = timeline(shown[-_SHOWN:], case.names)
    case.log.extend([*notes, *(_short(line) for line in lines)])
    case.files["history.jsonl"] = "".join(to_json(one) + "\n" for one in story)
    for task_id, name in case.names.items():
        sentence = sentence.replace(task_id, name)
    case.violated(sentence)


def _short(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 2]} …"


@contextmanager
def troupe(case: Case) -> Iterator[Troupe]:
    """Give a troupe on an empty place whose time is the store's own; end all that it started."""
    folder = Path(mkdtemp(prefix="taskkit-chaos-"))
    with ExitStack() as opened:
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Troupe(case, _place(case), folder, opened)
        made.client.migrate()
        yield made


def _place(case: Case) -> Namespace:
    """Return a place of its own, or else the case's, which is empty and has been in the past."""
    place = case.harness.provision(case.url)
    if place == case.namespace:
        return place
    case.places.append(place)
    return place


def _answered(operation: Operation) -> Operation | None:
    return None if operation.ending == "unknown" else operation


def _quietly(call: Callable[[], object]) -> Callable[[], None]:
    def called() -> None:
        with suppress(Exception):
            call()

    return called
