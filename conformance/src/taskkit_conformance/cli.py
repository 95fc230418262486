"""``taskkit-conformance``: the suite as a command; the same engine as the pytest plugin."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from taskkit_conformance.facts import suite_version

CONFORMANT: Final = 0
FAILED: Final = 1
SET_UP_WRONG: Final = 2

_EXAMPLES: Final = """\
examples:
  taskkit-conformance memory
  taskkit-conformance mystore --url mystore://localhost/15
  taskkit-conformance mystore --url mystore://localhost/15 --property LEA --profile standard
  taskkit-conformance --explain LEA-05
  taskkit-conformance merge reports/mystore-1 reports/mystore-2 --report docs

exit status: 0 conformant; 1 a property failed, or was expected to fail and passed; 2 the set-up is
wrong: unknown backend, store that cannot be reached, nothing executed
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _do(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads along, such as head, has seen enough; Python must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CONFORMANT
    return status


def _do(given: Sequence[str]) -> int:
    if given[:1] == ["merge"]:
        return _merge(given[1:])
    # What stands behind -- goes to pytest as it is.
    own: Sequence[str] = given
    extra: Sequence[str] = ()
    if "--" in given:
        cut = given.index("--")
        own, extra = given[:cut], given[cut + 1 :]
    asked = _parser().parse_args(own)
    if asked.list:
        return _list()
    if asked.explain:
        return _explain(asked.explain)
    if asked.guarantees is not None:
        return _guarantees([Path(each) for each in asked.guarantees])
    asked.name = asked.name or os.environ.get("TASKKIT_BACKEND")
    if not asked.name:
        _parser().print_usage(sys.stderr)
        print("expected the name of a backend (or TASKKIT_BACKEND), found none", file=sys.stderr)
        return SET_UP_WRONG
    return _run(asked, extra)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "taskkit-conformance",
        description="Prove that a taskkit backend keeps its promises.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="the backend: an entry point of taskkit.backends")
    parser.add_argument("--url", help="where its store is; it has to be empty")
    parser.add_argument("--profile", help="quick (the default), standard or thorough")
    parser.add_argument(
        "--property", action="append", default=[], help="a number or a group; may be repeated"
    )
    parser.add_argument("--lanes", help="some of model,interleave,race,chaos")
    parser.add_argument("--seed", help="repeat what was generated from this number")
    parser.add_argument("--expected", help="known failures (default: conformance.toml)")
    parser.add_argument("--report", help="a folder for report.json, matrix.md and badge.json")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="for the backend"
    )
    parser.add_argument("--clear", action="store_true", help="the store may be cleared")
    parser.add_argument("--list", action="store_true", help="print all properties")
    parser.add_argument("--explain", metavar="LEA-05", help="tell about a property, or a group")
    parser.add_argument(
        "--guarantees",
        nargs="*",
        metavar="REPORT",
        help="print docs/guarantees.md, with these reports in it",
    )
    parser.add_argument("--version", action="version", version=suite_version())
    return parser


def _run(asked: argparse.Namespace, extra: Sequence[str]) -> int:
    import pytest

    arguments = ["--pyargs", "taskkit_conformance", f"--taskkit-backend={asked.name}"]
    # Neither the settings nor the cache of whatever project the person stands in.
    arguments += ["-c", os.devnull, f"--rootdir={Path.cwd()}", "-p", "no:cacheprovider"]
    # This package is the command that runs pytest, and so it was there before it.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    for name in ("url", "profile", "lanes", "seed", "expected", "report"):
        value = getattr(asked, name)
        if value is not None:
            arguments.append(f"--taskkit-{name}={value}")
    arguments += [f"--taskkit-property={each}" for each in asked.property]
    arguments += [f"--taskkit-option={each}" for each in asked.option]
    arguments += ["--taskkit-clear"] if asked.clear else []
    status = int(pytest.main([*arguments, "--no-header", *extra]))
    return status if status in (CONFORMANT, FAILED) else SET_UP_WRONG


def _list() -> int:
    from taskkit_conformance.check import all_checks
    from taskkit_conformance.explain import listing

    checks: dict[str, list[str]] = {}
    for check in all_checks():
        lanes = checks.setdefault(check.number, [])
        if check.lane not in lanes:
            lanes.append(check.lane)
    for line in listing(checks):
        print(line)
    return CONFORMANT


def _explain(number: str) -> int:
    from taskkit_conformance.explain import explanation

    try:
        print(explanation(number))
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return SET_UP_WRONG
    return CONFORMANT


def _guarantees(paths: Sequence[Path]) -> int:
    from taskkit_conformance.explain import guarantees
    from taskkit_conformance.report import UnreadableReport, read_report

    try:
        reports = [read_report(path) for path in paths]
    except UnreadableReport as error:
        print(error, file=sys.stderr)
        return SET_UP_WRONG
    sys.stdout.write(guarantees(reports))
    return CONFORMANT


def _merge(arguments: Sequence[str]) -> int:
    from taskkit_conformance.matrix import badge, matrix
    from taskkit_conformance.report import UnreadableReport, read_report

    parser = argparse.ArgumentParser(
        "taskkit-conformance merge", description="Make one matrix of several reports."
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="folders with a report.json")
    parser.add_argument("--report", help="write matrix.md and badges here, instead of printing")
    asked = parser.parse_args(arguments)
    try:
        reports = [read_report(Path(each)) for each in asked.folders]
    except UnreadableReport as error:
        print(error, file=sys.stderr)
        return SET_UP_WRONG
    if asked.report is None:
        sys.stdout.write(matrix(reports))
        return CONFORMANT
    folder = Path(asked.report)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matrix.md").write_text(matrix(reports), "utf-8")
    for report in reports:
        name = f"badge-{report['backend']['name']}.json"
        (folder / name).write_text(json.dumps(badge(report), indent=1) + "\n", "utf-8")
    return CONFORMANT


if __name__ == "__main__":
    raise SystemExit(main())
