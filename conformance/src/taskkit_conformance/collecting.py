"""pytest's nodes: where the suite is collected, and one item for each check."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from taskkit_conformance import Conformance
from taskkit_conformance.bench import SetUpWrong, Target, options_of
from taskkit_conformance.check import Check, all_checks
from taskkit_conformance.judge import Judge
from taskkit_conformance.plugin import option
from taskkit_conformance.reporting import PREFIX
from taskkit_conformance.run import PATIENCE
from taskkit_conformance.settings import Settings
from taskkit_conformance.telling import command, failure, header
from taskkit_conformance.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from taskkit_conformance.profiles import Profile

_NAME: Final = "taskkit-conformance-running"


class CheckFailed(Exception):
    """Carries the report of a failure to pytest; what it says is all there is to see."""


class SuiteFile(pytest.File):
    """The suite, for the backend that the options name."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the checks that were chosen; refuse what cannot be run."""
        try:
            running = Running.of(self.config)
            target = running.settings.target()
            items = running.items(self, target)
            if not self.config.option.collectonly:
                _ = running.judge(target).bench  # a store that is not there is told at once
        except SetUpWrong as error:
            raise self.CollectError(f"{PREFIX}{error}") from error
        yield from items


class SuiteClass(pytest.Collector):
    """The suite, for the backend that a class names."""

    def __init__(self, *, chosen: Conformance, **node: Any) -> None:
        super().__init__(**node)
        self._chosen = chosen

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the checks that were chosen."""
        try:
            running = Running.of(self.config)
            yield from running.items(self, self._target(running.settings))
        except SetUpWrong as error:
            raise self.CollectError(f"{PREFIX}{error}") from error

    def _target(self, settings: Settings) -> Target:
        chosen = self._chosen
        if settings.backend == chosen.backend and settings.url:
            url: Any = settings.url
        else:
            url = chosen.url
        return Target(chosen.backend, url, options_of(chosen.options), chosen.clear)


class CheckItem(pytest.Item):
    """One check of one backend."""

    def __init__(self, *, check: Check, target: Target, **node: Any) -> None:
        super().__init__(**node)
        self.check = check
        self.target = target
        self.outcome: Outcome | None = None

    def runtest(self) -> None:
        """Run the check, and put its verdict in pytest's terms."""
        running = Running.of(self.config)
        judge = running.judge(self.target)
        running.announce(self.target)
        self.outcome = outcome = judge.judge(self.check)
        told = f"{outcome.verdict}: {outcome.reason}"
        strict = running.settings.profile.strict
        match outcome.verdict:
            case Verdict.FAIL | Verdict.STALE | Verdict.UNKNOWN:
                facts = judge.facts()
                repeat = command(self.target, facts, outcome, running.settings.profile.name)
                raise CheckFailed(failure(outcome, facts, repeat))
            case Verdict.UNEXERCISED if strict:
                raise CheckFailed(told)
            case Verdict.EXPECTED:
                pytest.xfail(told)
            case Verdict.BLOCKED:
                pytest.skip(f"{told}, because {outcome.message}")
            case Verdict.NOT_APPLICABLE | Verdict.UNEXERCISED:
                pytest.skip(told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the report of the check, and a traceback only where the suite itself broke."""
        if isinstance(excinfo.value, CheckFailed | SetUpWrong):
            return Told.of(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the check."""
        return self.path, None, self.name


@dataclass(frozen=True, slots=True)
class Headline:
    """What pytest's summary says of a failure: without it, and where CI is set, all of the text."""

    message: str
    path: str = ""
    lineno: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A failure's text, as pytest wants it."""

    text: str
    reprcrash: Headline

    @classmethod
    def of(cls, text: str) -> Told:
        """Return a text, its first line for the summary."""
        return cls(text, Headline(text.partition("\n")[0]))

    def toterminal(self, writer: Any) -> None:
        """Write it."""
        writer.line(self.text)

    def __str__(self) -> str:
        return self.text


class Running:
    """What runs checks in this process; a pytest plugin of its own, once there is a check."""

    def __init__(self, config: pytest.Config) -> None:
        shared = getattr(config, "workerinput", {}).get("taskkit_seed")
        self.config = config
        self.settings = Settings.read(lambda name: option(config, name), config.rootpath, shared)
        self.checks = all_checks()
        self._judges: dict[Target, Judge] = {}
        self._counts: dict[Target, tuple[int, int]] = {}
        self._announced: set[Target] = set()

    @classmethod
    def of(cls, config: pytest.Config) -> Running:
        """Return the one of this process.

        Raises:
            SetUpWrong: the options ask for what does not exist.
        """
        running: Running | None = config.pluginmanager.get_plugin(_NAME)
        if running is None:
            running = cls(config)
            config.pluginmanager.register(running, _NAME)
        return running

    def items(self, parent: pytest.Collector, target: Target) -> list[pytest.Item]:
        """Return the items of the checks that were chosen.

        Raises:
            SetUpWrong: there is none.
        """
        chosen = self.settings.chosen(self.checks)
        if not chosen:
            raise SetUpWrong(_none_of(self.settings.numbers, self.checks))
        self._counts[target] = len(chosen), len({check.number for check in chosen})
        return [self._item(parent, check, target) for check in chosen]

    def judge(self, target: Target) -> Judge:
        """Return the judge of a target, the same for all its checks."""
        if target not in self._judges:
            profile = self.settings.profile
            self._judges[target] = Judge(
                target=target,
                profile=profile,
                seed=self.settings.seed,
                expected=self.settings.expected,
                checks=self.checks,
                shelf=None if profile.fixed_seed else _shelf(),
            )
        return self._judges[target]

    def announce(self, target: Target) -> None:
        """Say what is tested, once, unless this is a worker process of pytest-xdist."""
        terminal: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if target in self._announced or terminal is None or hasattr(self.config, "workerinput"):
            return
        self._announced.add(target)
        if terminal.verbosity >= 0:
            facts, counts = self.judge(target).facts(), self._counts[target]
            with self._uncaptured():
                terminal.ensure_newline()
                for line in header(facts, self.settings.profile, self.settings.seed, *counts):
                    terminal.write_line(line)

    def _uncaptured(self) -> AbstractContextManager[None]:
        # Within a test, what is written to the terminal would count as the test's own output.
        capturing: Any = self.config.pluginmanager.get_plugin("capturemanager")
        return capturing.global_and_fixture_disabled() if capturing is not None else nullcontext()

    def _item(self, parent: pytest.Collector, check: Check, target: Target) -> pytest.Item:
        item = CheckItem.from_parent(parent, name=check.id, check=check, target=target)
        # A limit that is meant for unit tests would end a check half way. The mark exists only
        # where pytest-timeout does.
        if self.config.pluginmanager.hasplugin("timeout"):
            item.add_marker(pytest.mark.timeout(_limit(self.settings.profile, check, self.checks)))
        return item

    # ---- hooks

    def pytest_collection_finish(self) -> None:
        """Say what is tested where that is known already: before the first test."""
        for target, judge in self._judges.items():
            if judge.is_open:
                self.announce(target)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send the outcome along with pytest's report, from worker processes too."""
        report = yield
        if not isinstance(item, CheckItem) or report.when != "call":
            return report
        data: dict[str, Any] = {"target": item.target.backend, "seed": self.settings.seed}
        if call.excinfo is not None and isinstance(call.excinfo.value, SetUpWrong):
            data["set_up_wrong"] = str(call.excinfo.value)
        elif item.outcome is not None:
            data["outcome"] = item.outcome.as_data()
            data["facts"] = self.judge(item.target).facts().as_data()
            data["counts"] = self._counts[item.target]
        vars(report)["taskkit"] = data  # pytest sends what it does not know along, too
        return report

    def pytest_sessionfinish(self) -> None:
        """Remove what was made in the stores."""
        for judge in self._judges.values():
            judge.close()


def _none_of(numbers: Collection[str], checks: Sequence[Check]) -> str:
    """Return what is wrong where no check was chosen, and where there would be one."""
    tested = {number: [each.lane for each in checks if each.number == number] for number in numbers}
    there = [f"{number} in {', '.join(dict.fromkeys(tested[number]))}" for number in sorted(tested)]
    more = f", and {len(there) - 3} more" if len(there) > 3 else ""
    return (
        "expected checks to run, found none in these lanes; "
        f"there are some of {'; '.join(there[:3])}{more}"
    )


def _shelf() -> ExampleDatabase:
    return DirectoryBasedExampleDatabase(Path(".hypothesis", "taskkit-conformance"))


def _limit(profile: Profile, check: Check, checks: list[Check]) -> float:
    budget = profile.budget(check, checks)
    return 3 * (budget.seconds + budget.shrinking + PATIENCE)
