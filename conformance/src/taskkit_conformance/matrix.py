"""``matrix.md``: groups of properties against backends, from one report or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from taskkit_conformance.properties import GROUPS, property_of
from taskkit_conformance.verdicts import Verdict


def matrix(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return a table in Markdown: a row for each group, a column for each report, and notes."""
    columns = [_title(report) for report in reports]
    lines = [
        "| properties | " + " | ".join(columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    notes: list[str] = []
    for group, about in GROUPS.items():
        counts = [_verdicts(report, group) for report in reports]
        if any(counts):
            cells = [_cell(count) for count in counts]
            lines.append(f"| {group} {about} | " + " | ".join(cells) + " |")
    lines.append("| **levels** | " + " | ".join(_levels(report) for report in reports) + " |")
    for title, report in zip(columns, reports, strict=True):
        notes += _notes(title, report)
    if notes:
        lines += ["", "What is not PASS:", "", *notes]
    return "\n".join(lines) + "\n"


def badge(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a badge endpoint (shields.io) wants to know."""
    version = report["backend"]["versions"]["taskkit-conformance"]
    short = ".".join(version.split(".")[:2])
    claimed = _levels(report)
    verdicts = {each["verdict"] for each in report["properties"].values()}
    failing = verdicts & {Verdict.FAIL, Verdict.STALE, Verdict.BLOCKED, Verdict.UNKNOWN}
    return {
        "schemaVersion": 1,
        "label": "taskkit conformance",
        "message": f"{short} · {claimed}",
        "color": "red" if failing else "green" if report["levels"] else "lightgrey",
    }


def _title(report: Mapping[str, Any]) -> str:
    backend = report["backend"]
    python = ".".join(backend["versions"]["python"].split(".")[:2])
    told = [_kind(backend["name"], backend["capabilities"]["name"])]
    return " ".join(filter(None, [*told, backend["distribution"], f"Python {python}"]))


def _kind(plugin: str, own: str) -> str:
    """Return what a store is called: one plugin may serve several kinds."""
    if own.startswith(plugin):
        return own
    return plugin if plugin.startswith(own) else f"{plugin} ({own})"


def _verdicts(report: Mapping[str, Any], group: str) -> Counter[str]:
    return Counter(
        each["verdict"]
        for number, each in report["properties"].items()
        if property_of(number).group == group
    )


def _cell(counts: Counter[str]) -> str:
    if not counts:
        return ""
    applicable = sum(counts.values()) - counts[Verdict.NOT_APPLICABLE]
    passed = counts[Verdict.PASS]
    if not applicable:
        return "n/a"
    return f"{passed}" if passed == applicable else f"{passed} of {applicable}"


def _levels(report: Mapping[str, Any]) -> str:
    """Return the levels as a badge names them: of Store, Queue and Leased only the highest."""
    claimed = list(report["levels"])
    stacked = [level for level in ("Store", "Queue", "Leased") if level in claimed]
    told = stacked[-1:] + [level for level in claimed if level not in stacked]
    return " + ".join(told) or "none"


def _notes(title: str, report: Mapping[str, Any]) -> list[str]:
    notes = []
    for number, found in report["properties"].items():
        verdict = found["verdict"]
        if verdict == Verdict.PASS:
            continue
        reason = next(
            (check["reason"] for check in found["checks"] if check["verdict"] == verdict), ""
        )
        notes.append(f"- {title}: **{number}** {verdict}{f': {reason}' if reason else ''}")
    return notes
