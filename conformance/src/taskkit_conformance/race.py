"""Real concurrency: threads of this process, and processes of their own.

Threads find little in a store that lives in this process, because they hardly ever switch where it
matters; so they are made to, at random lines of the backend. Processes are spawned, never forked,
once for many rounds: they get the names of the store and plain programs on their standard input,
and send back what happened. The history of a failure is kept as it is: to run it again would be
another race.
"""

from __future__ import annotations

import atexit
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from typing import Any, Final

from hypothesis import strategies as st

from taskkit.clock import sleep
from taskkit_conformance.actors import perform
from taskkit_conformance.case import Case
from taskkit_conformance.harness import Namespace
from taskkit_conformance.history import NEVER, Operation, Recorder, nanoseconds
from taskkit_conformance.patience import Patience
from taskkit_conformance.stage import Scene, Stage, sources_of
from taskkit_conformance.yields import lines

_MOST_THREADS: Final = 8
_MOST_PROCESSES: Final = 4
"""Each costs a start of Python, which the quick profile feels."""
_PATIENCE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1
_HEAD_START: Final = 1_000_000
"""Nanoseconds between telling processes to begin and the beginning."""


def racing(scene: Scene, *, only_threads: bool = False) -> Callable[[Case], None]:
    """Return a check that plays a scene with threads or, where the store can, with processes."""

    def check(case: Case) -> None:
        apart = case.capabilities.shared and not only_threads and case.draw(st.booleans())
        player = _play_in_processes if apart else _play_in_threads
        most = _MOST_PROCESSES if apart else _MOST_THREADS
        scene(Stage(case, player, most, Recorder(nanoseconds)))

    check.__doc__ = scene.__doc__
    return check


# ---- threads


def _play_in_threads(stage: Stage) -> None:
    """Let each actor be a thread; what hinders one ends the wait of all."""
    case = stage.case
    shaken = stage.draw(st.sampled_from((True, True, False)))
    seed = stage.draw(st.integers(0, 2**32))
    stage.notes.append(f"{len(stage.parts)} threads, {'' if shaken else 'not '}shaken")
    barrier = threading.Barrier(len(stage.parts))
    errors: list[BaseException] = []

    def live(name: str, jolt: Callable[[], None]) -> None:
        part = stage.parts[name]
        try:
            sources = sources_of(case.backend)
            barrier.wait()
            with lines(sources, jolt) if shaken else nullcontext():
                perform(name, case.backend, part.program, stage.recorder, part.hands)
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)
            barrier.abort()

    threads = [
        threading.Thread(target=live, args=(name, _jolts(seed + number)), name=name, daemon=True)
        for number, name in enumerate(stage.parts)
    ]
    for thread in threads:
        thread.start()
    hanging = _ended(threads)
    if errors:
        raise errors[0]
    if hanging:
        stage.violated(
            f"expected all threads to end within {_PATIENCE_SECONDS:g} s, found "
            f"{' and '.join(hanging)} still at work"
        )


def _ended(threads: list[threading.Thread]) -> list[str]:
    """Wait for the threads to end, and return the names of those that do not."""
    limit = Patience(_PATIENCE_SECONDS)
    for thread in threads:
        while thread.is_alive() and not limit.is_over():
            thread.join(_LOOK_SECONDS)
    return [thread.name for thread in threads if thread.is_alive()]


def _jolts(seed: int) -> Callable[[], None]:
    """Return what makes a thread step aside now and then."""
    chance = random.Random(seed)  # noqa: S311 - not a secret

    def jolt() -> None:
        if chance.random() < 0.1:
            sleep(0)

    return jolt


# ---- processes


class Actor:
    """A spawned process that performs programs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "taskkit_conformance.actors"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.shares_clock = False
        self._asked = 0

    def open(self, namespace: Namespace) -> None:
        """Let it open a store; ``opened`` waits until it has."""
        self._asked = nanoseconds()
        self.tell({"open": asdict(namespace)})

    def opened(self) -> None:
        """Wait until the store is open, and see whether its clock can be compared to ours."""
        # A monotonic clock counts from the start of the machine, or of the process.
        self.shares_clock = self._asked <= self.hear()["now"] <= nanoseconds()

    def tell(self, command: Mapping[str, Any]) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Return the next answer.

        Raises:
            ChildProcessError: the process has ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"an actor's process ended, status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End it; it ends by itself when its input does."""
        with suppress(OSError):
            self._process.communicate(timeout=5)
        self._process.kill()
        self._process.wait()


class Crew:
    """The processes that act in one place of a store."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._actors: list[Actor] = []

    def actors(self, number: int) -> list[Actor]:
        """Return so many actors, spawning those that are missing."""
        fresh = [Actor() for _ in range(number - len(self._actors))]
        for actor in fresh:
            actor.open(self.namespace)
        for actor in fresh:
            actor.opened()
        self._actors += fresh
        return self._actors[:number]

    def close(self) -> None:
        """End all."""
        for actor in self._actors:
            actor.close()
        self._actors.clear()


_crew: Crew | None = None


def crew_for(namespace: Namespace) -> Crew:
    """Return the processes for a place; those for another place are ended first."""
    global _crew  # noqa: PLW0603 - processes are dear: one crew serves the checks of a run
    if _crew is None or _crew.namespace != namespace:
        dismiss()
        _crew = Crew(namespace)
    return _crew


def dismiss() -> None:
    """End the processes, if there are any."""
    global _crew  # noqa: PLW0603 - see above
    if _crew is not None:
        _crew.close()
    _crew = None


atexit.register(dismiss)


def _play_in_processes(stage: Stage) -> None:
    """Let each actor be a process of its own."""
    case = stage.case
    stage.notes.append(f"{len(stage.parts)} processes")
    actors = dict(zip(stage.parts, crew_for(case.namespace).actors(len(stage.parts)), strict=True))
    begin = nanoseconds() + _HEAD_START
    try:
        for name, actor in actors.items():
            part = stage.parts[name]
            actor.tell(
                {
                    "actor": name,
                    "perform": [[step.kind, step.arguments] for step in part.program],
                    "held": part.hands.held,
                    "now": case.clock.now(),
                    "start": begin if actor.shares_clock else 0,
                }
            )
        for actor in actors.values():
            told = [Operation(**one) for one in actor.hear()]
            stage.recorder.add(told if actor.shares_clock else _widened(told, begin))
    except (OSError, ChildProcessError):
        dismiss()
        raise


def _widened(operations: list[Operation], begin: int) -> list[Operation]:
    """Return operations of a process whose clock says nothing here.

    They happened between the command and the answer; that is all that is known.
    """
    end = nanoseconds()
    return [
        replace(one, called=begin, returned=NEVER if one.returned == NEVER else end)
        for one in operations
    ]
