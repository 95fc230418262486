"""Reports: what a run comes to, as JSON, as a matrix, as a badge."""

from __future__ import annotations

import json

import pytest

from taskkit_conformance import cli
from taskkit_conformance.bench import Bench, Target
from taskkit_conformance.check import LANES
from taskkit_conformance.facts import Facts, redacted
from taskkit_conformance.matrix import badge, matrix
from taskkit_conformance.profiles import PROFILES
from taskkit_conformance.properties import properties
from taskkit_conformance.report import SCHEMA, Report, UnreadableReport, read_report
from taskkit_conformance.telling import by_property, levels, unproved
from taskkit_conformance.verdicts import Outcome, Verdict, worst


@pytest.fixture
def facts(bench: Bench) -> Facts:
    return Facts.of(Target("memory"), bench)


def report_of(facts, *outcomes, profile="quick", whole=False, expected=()):
    report = Report(facts, PROFILES[profile], 0, LANES, whole, expected=expected)
    for outcome in outcomes:
        report.add({"outcome": outcome.as_data(), "facts": facts.as_data()})
    return report


def outcome(number, verdict=Verdict.PASS, lane="model", **more):
    return Outcome(number, lane, verdict, **more)


def everything(verdict=Verdict.PASS):
    return [outcome(each.id, verdict) for each in properties()]


def test_a_property_is_as_good_as_its_worst_check():
    assert worst([Verdict.PASS, Verdict.NOT_APPLICABLE]) is Verdict.PASS
    assert worst([Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED]) is Verdict.FAIL
    assert worst([Verdict.PASS, Verdict.EXPECTED]) is Verdict.EXPECTED
    assert worst([Verdict.NOT_APPLICABLE]) is Verdict.NOT_APPLICABLE
    assert worst([]) is Verdict.UNEXERCISED
    found = by_property([outcome("LEA-05"), outcome("LEA-05", Verdict.FAIL, "race")])
    assert found == {"LEA-05": Verdict.FAIL}


def test_levels_build_on_each_other():
    verdicts = by_property(everything())
    assert levels(verdicts)[0] == "Store"
    assert levels(verdicts)[-1] == "Controlled"
    without = {**verdicts, "ORD-01": Verdict.FAIL}
    assert levels(without) == ["Store"]
    assert "Durable" not in levels({**verdicts, "DUR-04": Verdict.EXPECTED})


def test_what_could_not_be_looked_at_costs_its_level():
    """A store without connections cannot break DUR-06; one whose cannot be cut well may."""
    verdicts = {**by_property(everything()), "DUR-06": Verdict.NOT_APPLICABLE}
    seen = outcome("DUR-06", Verdict.NOT_APPLICABLE, "chaos")
    assert "Durable" in levels(verdicts, unproved([seen]))
    not_seen = outcome("DUR-06", Verdict.NOT_APPLICABLE, "chaos", unproved=True)
    assert "Durable" not in levels(verdicts, unproved([not_seen]))


def test_a_store_that_does_not_declare_itself_durable_is_not():
    verdicts = {**by_property(everything()), "DUR-01": Verdict.NOT_APPLICABLE}
    assert "Durable" not in levels(verdicts)


def test_a_summary_warns_of_what_was_never_exercised(facts):
    report = report_of(facts, outcome("LEA-05", Verdict.UNEXERCISED), outcome("LEA-06"))
    assert "warning: nothing is proved of 1 properties" in "\n".join(report.summary())


@pytest.mark.parametrize("verdict", ["FAIL", "STALE", "BLOCKED", "UNKNOWN"])
def test_these_verdicts_fail_a_run(facts, verdict):
    assert report_of(facts, outcome("LEA-05", Verdict(verdict))).failing()


@pytest.mark.parametrize("verdict", ["PASS", "EXPECTED", "NOT-APPLICABLE", "UNEXERCISED"])
def test_these_do_not(facts, verdict):
    assert not report_of(facts, outcome("LEA-05", Verdict(verdict))).failing()


def test_what_was_not_exercised_fails_the_longer_profiles(facts):
    lazy = outcome("LEA-05", Verdict.UNEXERCISED)
    assert report_of(facts, lazy, profile="standard").failing()
    one = [each for each in everything() if each.number != "LEA-05"]
    whole = report_of(facts, *one, profile="standard", whole=True)
    assert whole.verdicts()["LEA-05"] is Verdict.UNEXERCISED
    assert whole.failing()
    assert not report_of(facts, *everything(), profile="standard", whole=True).failing()


def test_an_entry_that_failed_nowhere_is_stale(facts):
    report = report_of(facts, outcome("LEA-05"), expected=("LEA-05",))
    assert report.verdicts() == {"LEA-05": Verdict.STALE}
    assert "remove this entry" in "\n".join(report.summary())


def test_a_report_is_written_and_read(facts, tmp_path):
    failed = outcome(
        "LEA-05",
        Verdict.FAIL,
        reason="it stood",
        program=["put t1 → put"],
        witness="abc",
        files={"history of g.jsonl": "{}"},
    )
    report_of(facts, failed, outcome("ORD-01")).write(tmp_path)
    data = read_report(tmp_path)
    assert data["schema"] == SCHEMA
    assert data["backend"]["name"] == "memory"
    [check] = data["properties"]["LEA-05"]["checks"]
    assert check["program"] == ["put t1 → put"]
    assert check["witness"] == "abc"
    assert (tmp_path / "histories" / "LEA-05[model]-history_of_g.jsonl").read_text() == "{}"
    assert "**LEA-05** FAIL: it stood" in (tmp_path / "matrix.md").read_text()
    assert json.loads((tmp_path / "badge.json").read_text())["color"] == "red"


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(UnreadableReport, match="expected a report"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text('{"schema": 99}')
    with pytest.raises(UnreadableReport, match="found 99"):
        read_report(tmp_path)


def test_the_badge_names_the_highest_levels(facts):
    data = report_of(facts, *everything()).as_data()
    assert badge(data)["message"].endswith("· Leased + Scheduler + Durable + Controlled")
    assert badge(data)["color"] == "green"


def test_reports_are_merged_into_one_matrix(facts, tmp_path, capsys):
    folders = []
    for name, verdict in (("one", Verdict.PASS), ("two", Verdict.NOT_APPLICABLE)):
        folder = tmp_path / name
        report_of(facts, *everything(), outcome("DUR-01", verdict, "chaos")).write(folder)
        folders.append(str(folder))
    assert cli.main(["merge", *folders]) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].count("memory") == 2
    assert "| ORD order | 10 | 10 |" in table
    assert cli.main(["merge", *folders, "--report", str(tmp_path / "all")]) == 0
    assert (tmp_path / "all" / "matrix.md").read_text() == table
    assert cli.main(["merge", str(tmp_path / "nobody")]) == 2


def test_a_group_that_does_not_apply_is_said_so(facts):
    data = report_of(facts, outcome("DUR-08", Verdict.NOT_APPLICABLE)).as_data()
    assert "| n/a |" in matrix([data])


def test_passwords_are_not_shown():
    assert redacted("mystore://me:secret@host/1") == "mystore://me:***@host/1"
    assert redacted("sqlite:////tmp/a@b.db") == "sqlite:////tmp/a@b.db"
    assert redacted(None) is None
