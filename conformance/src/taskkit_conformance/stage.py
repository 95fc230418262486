"""One concurrent scene: prepared, played by several actors at once, looked at afterwards.

The same scene can be played under the seeded scheduler (``interleaved``) or by real threads and
processes (``race.racing``); its check only sees the history. The clock stands still while it is
played, so that what the store may answer depends on the order of operations alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from hypothesis import strategies as st

from taskkit.backend import Backend
from taskkit.task import NewTask
from taskkit_conformance import sequential, steps
from taskkit_conformance.accounting import Findings
from taskkit_conformance.actors import perform
from taskkit_conformance.case import LEASE, Case
from taskkit_conformance.cooperative import adopt, cooperating
from taskkit_conformance.history import Operation, Recorder, to_json
from taskkit_conformance.interleave import Interleaving, Lines, Stalled
from taskkit_conformance.linearize import Verdict, linearize, shortest_impossible
from taskkit_conformance.schedule import schedules
from taskkit_conformance.steps import Hands, Step
from taskkit_conformance.timeline import involving, timeline
from taskkit_conformance.yields import Sources, lines

T = TypeVar("T")

Scene = Callable[["Stage"], None]


@dataclass(slots=True)
class Part:
    """What one actor does."""

    program: Sequence[Step]
    hands: Hands


@dataclass(slots=True, eq=False)
class Stage:
    """Actors, what they are to do, and what they did."""

    case: Case
    player: Callable[[Stage], None]
    most_actors: int
    recorder: Recorder = field(default_factory=lambda: Recorder(itertools.count(1).__next__))
    began: int = 0
    """The instant before anything was done."""
    parts: dict[str, Part] = field(default_factory=dict)
    story: list[Operation] = field(default_factory=list)
    """What happened, in the order of the calls; complete after ``play``."""
    notes: list[str] = field(default_factory=list)
    """The schedule, and whatever else belongs above the time-line."""

    def __post_init__(self) -> None:
        self.began = self.case.clock.now()

    # ---- preparing

    def draw(self, strategy: st.SearchStrategy[T]) -> T:
        """Draw; before the play only."""
        drawn: T = self.case.draw(strategy)
        return drawn

    def some(self, low: int, high: int) -> int:
        """Draw a number."""
        return self.draw(st.integers(low, high))

    def several(self, most: int | None = None) -> int:
        """Draw how many actors there are to be: two or more, mostly few."""
        most = min(self.most_actors, most or self.most_actors)
        return self.draw(st.just(2) | st.integers(2, max(2, most)))

    def task(self, group: str = "g", **fields: Any) -> NewTask:
        """Return a new task that is not put yet."""
        return self.case.task(group, **fields)

    def tasks(self, number: int, group: str = "g", **fields: Any) -> list[str]:
        """Put tasks and return their ids."""
        made = [self.task(group, **fields) for _ in range(number)]
        self.do(steps.put(*made))
        return [task.id for task in made]

    def workers(self, *names: str, lease: int = LEASE) -> None:
        """Register workers."""
        for name in names:
            self.do(steps.register(name, lease))

    def claimed(self, worker: str, most: int = 1, want: str = "g") -> list[tuple[str, int]]:
        """Claim and return task ids and tokens."""
        return self.do(steps.claim(worker, most, want)).claims

    def expire(self) -> None:
        """Move the clock to the instant at which the leases given so far end."""
        self.move(LEASE)

    def move(self, by: int) -> None:
        """Move the clock; not while actors act, since stores may have read it before they begin."""
        to = self.case.clock.now() + by
        called = self.recorder.call("stage", "move", {"to": to})
        self.case.clock.set(to)
        self.recorder.back(called, "ok")

    def do(self, step: Step, actor: str = "stage") -> Operation:
        """Do one thing alone, before or after the play."""
        perform(actor, self.case.backend, [step], self.recorder, Hands())
        done = self.recorder.history()[-1]
        if done.broken:
            self.violated(f"{done.kind} raised {done.error}")
        return done

    def actor(self, *program: Step, held: Sequence[tuple[str, int]] = ()) -> str:
        """Add an actor, who holds these claims; return its name."""
        name = f"a{len(self.parts) + 1}"
        self.parts[name] = Part(program, Hands(list(held)))
        return name

    # ---- playing

    def play(self) -> list[Operation]:
        """Let all actors act; return what they did.

        An operation that raised what the contract does not know is a violation by itself.
        """
        before = len(self.recorder.history())
        self.player(self)
        self.story = self.recorder.history()
        played = self.story[before:]
        for operation in played:
            if operation.broken:
                self.violated(f"{operation.kind} raised {operation.error}", operation)
        return played

    def client(self) -> Backend:
        """Return a client of its own for an actor."""
        return self.case.open()

    # ---- looking

    def seen(self, *ids: str) -> dict[str, Any]:
        """Return what the store now says of tasks, None where it knows nothing."""
        found = self.do(steps.on("get", *ids))
        self.story = self.recorder.history()
        answer: dict[str, Any] = found.answer
        return answer

    def require(self, holds: object, sentence: str, *about: Operation | str) -> None:
        """Go on only if something holds; else show the operations that it is about."""
        self.case.met()
        if not holds:
            self.violated(sentence, *about)

    def violated(self, sentence: str, *about: Operation | str) -> NoReturn:
        """Report that the property does not hold, with the time-line."""
        story = self.recorder.history()
        ids = {one for one in about if isinstance(one, str)}
        ids.update(*(one.ids() for one in about if isinstance(one, Operation)))
        shown = involving(story, ids) if ids else story
        self.case.log.extend([*self.notes, *timeline(shown, self.case.names)])
        self.case.files["history.jsonl"] = "".join(to_json(one) + "\n" for one in story)
        self.case.violated(sentence)

    def none(self, findings: Findings) -> None:
        """Require that nothing was found that no order of the operations explains."""
        self.case.met()
        for finding in findings:
            sentence = self.case.words(finding.sentence).strip("'\"")
            self.violated(sentence, *finding.operations)

    def linearizable(self) -> None:
        """Require an order of all operations that a sequential queue allows."""
        story = sequential.knows(self.recorder.history())
        start = sequential.Queue(self.began)
        search = linearize(story, start, sequential.step)
        if search.verdict is Verdict.UNKNOWN:
            self.case.cannot_tell(f"no order found among {search.states} states")
        self.case.met()
        if search.verdict is Verdict.IMPOSSIBLE:
            shortest = shortest_impossible(story, start, sequential.step)
            self.notes.append(f"impossible from the first {len(shortest)} operations on")
            self.violated(
                "expected the answers to be those of some order of these operations, one after "
                "the other; found that no order gives them",
                *{one for op in shortest for one in op.ids()},
            )


# ---- under the scheduler


def interleaved(scene: Scene) -> Callable[[Case], None]:
    """Return a check that plays a scene under the seeded scheduler."""

    def check(case: Case) -> None:
        scene(Stage(case, _play_interleaved, most_actors=4))

    check.__doc__ = scene.__doc__
    return check


def _play_interleaved(stage: Stage) -> None:
    case = stage.case
    schedule = stage.draw(schedules(len(stage.parts)))
    # To open a client costs as much as a whole example: seldom, and one only.
    other = stage.client() if stage.draw(st.sampled_from((False,) * 7 + (True,))) else case.backend
    clients = dict(zip(stage.parts, itertools.cycle((case.backend, other)), strict=False))
    stage.notes.append(f"schedule: {schedule.words(list(stage.parts))}")
    sources = sources_of(case.backend)
    for client in (case.backend, other):
        adopt(client, sources)
    run = Interleaving(schedule)
    bodies = {
        name: _body(name, part, clients[name], stage.recorder, run)
        for name, part in stage.parts.items()
    }
    try:
        with _yielding(case, sources, run) as lines_of, cooperating(sources):
            run.go(bodies, lines_of)
    except Stalled as stalled:
        stage.violated(str(stalled))


def _body(
    name: str, part: Part, client: Backend, recorder: Recorder, run: Interleaving
) -> Callable[[], None]:
    return lambda: perform(name, client, part.program, recorder, part.hands, run.edge)


@contextmanager
def _yielding(case: Case, sources: Sources, run: Interleaving) -> Iterator[Lines | None]:
    """Give what makes actors yield: the harness's round trips, or else the backend's lines."""
    if case.harness.yield_points is None:
        yield lambda line: lines(sources, line)
        return
    with case.harness.yield_points(run.edge):
        yield None


_known_sources: dict[type, Sources] = {}


def sources_of(backend: Backend) -> Sources:
    """Return the code of a backend; kept, because to look is slow."""
    kind = type(backend)
    found = _known_sources.get(kind)
    if found is None:
        found = _known_sources[kind] = Sources(backend)
    return found
