"""Collects the outcomes of a pytest run, from worker processes too, and tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from taskkit_conformance.report import Report

# Imported in every pytest run: what is needed for a report is imported when there is one.

PREFIX: Final = "taskkit conformance: "
"""Of what is said when the suite cannot be collected."""

_WORDS: Final = {
    "PASS": ("passed", "."),
    "FAIL": ("failed", "F"),
    "STALE": ("failed", "S"),
    "UNKNOWN": ("failed", "U"),
    "EXPECTED": ("xfailed", "x"),
    "NOT-APPLICABLE": ("skipped", "-"),
    "BLOCKED": ("skipped", "b"),
    "UNEXERCISED": ("skipped", "u"),
}


class Reporting:
    """A pytest plugin that does nothing until the report of a check arrives."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, Report] = {}
        self._set_up_wrong: list[str] = []
        self._said: list[str] = []
        self._collection_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect an outcome."""
        data = getattr(report, "taskkit", None)
        if data is None:
            return
        if "set_up_wrong" in data:
            if data["set_up_wrong"] not in self._set_up_wrong:
                self._set_up_wrong.append(data["set_up_wrong"])
        elif "outcome" in data:
            self._report(data).add(data)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notice a suite that cannot be collected; pytest-xdist would end with status 1."""
        if report.failed and PREFIX in str(report.longrepr):
            self._collection_failed = True

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show the verdict in place of pytest's word."""
        data = getattr(report, "taskkit", None)
        if data is None or "outcome" not in data:
            return None
        verdict = data["outcome"]["verdict"]
        if verdict == "UNEXERCISED" and report.failed:
            return "failed", "u", verdict
        return *_WORDS[verdict], verdict

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the reports, and settle the exit status."""
        if self._set_up_wrong or self._collection_failed:
            session.exitstatus = 2
        elif self._runs_here() or self._reports:
            self._conclude(session, exitstatus)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say the verdicts."""
        for reason in self._set_up_wrong:
            terminalreporter.section("taskkit conformance: the set-up is wrong", red=True)
            terminalreporter.write_line(reason)
        for report in self._reports.values():
            terminalreporter.section(f"taskkit conformance of {report.facts.name}")
            for line in report.summary():
                terminalreporter.write_line(line)
        for line in self._said:
            terminalreporter.write_line(line)

    def _report(self, data: dict[str, Any]) -> Report:
        from taskkit_conformance.report import Report
        from taskkit_conformance.telling import header

        name = data["target"]
        if name not in self._reports:
            report = self._reports[name] = Report.begin(data, self._settings())
            terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
            elsewhere = not self._runs_here()
            if elsewhere and terminal is not None and terminal.verbosity >= 0:
                terminal.ensure_newline()
                for line in header(report.facts, report.profile, report.seed, *data["counts"]):
                    terminal.write_line(line)
        return self._reports[name]

    def _runs_here(self) -> bool:
        return self._config.pluginmanager.hasplugin("taskkit-conformance-running")

    def _settings(self) -> Any:
        from taskkit_conformance.plugin import option
        from taskkit_conformance.settings import Settings

        return Settings.read(lambda name: option(self._config, name), self._config.rootpath)

    def _conclude(self, session: pytest.Session, exitstatus: int) -> None:
        executed = sum(report.executed() for report in self._reports.values())
        if not executed and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            self._said.append("nothing was executed, so nothing is proved: exit status 2")
            session.exitstatus = 2
            return
        if exitstatus == pytest.ExitCode.OK and any(
            report.failing() for report in self._reports.values()
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        folder = self._settings().report if self._reports else None
        for name, report in self._reports.items():
            if folder is not None:
                place = folder if len(self._reports) == 1 else folder / name
                report.write(place)
                self._said.append(f"report: {place / 'report.json'}")
