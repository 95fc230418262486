"""A run as a whole: what blocks, what is expected to fail, what belongs to the core."""

from __future__ import annotations

import pytest

from taskkit_conformance.bench import Target
from taskkit_conformance.check import Check
from taskkit_conformance.expected import Expectation, InvalidExpectation, read
from taskkit_conformance.facts import suite_version
from taskkit_conformance.judge import Judge
from taskkit_conformance.profiles import PROFILES
from taskkit_conformance.verdicts import Verdict


def holds(case):
    case.met()


def fails(case):
    case.violated("it does not hold")


def judged(check, *others, expected=()):
    entries = {entry.number: entry for entry in expected}
    checks = [check, *others]
    judge = Judge(Target("memory"), PROFILES["quick"], 0, entries, checks)
    try:
        return judge.judge(check)
    finally:
        judge.close()


def entry(number, **more):
    return Expectation(number, "known", "https://x/1", **more)


def test_what_a_failing_property_is_needed_for_is_blocked_by_it():
    outcome = judged(Check("SCH-05", "model", holds), Check("SCH-04", "model", fails))
    assert outcome.verdict is Verdict.BLOCKED
    assert outcome.reason == "BLOCKED BY SCH-04"
    assert outcome.message == "it does not hold"


def test_the_deepest_cause_is_named():
    checks = [Check("LEA-03", "model", fails), Check("ORD-03", "model", fails)]
    outcome = judged(Check("LEA-05", "race", holds), *checks)
    assert outcome.reason == "BLOCKED BY ORD-03"


def test_a_prerequisite_that_is_known_to_fail_blocks_nothing():
    outcome = judged(
        Check("SCH-05", "model", holds),
        Check("SCH-04", "model", fails),
        expected=[entry("SCH-04")],
    )
    assert outcome.verdict is Verdict.PASS


def test_what_the_core_keeps_is_tested_over_the_memory_backend_and_never_blocked():
    names = []

    def notes(case):
        names.append(case.capabilities.name)
        case.met()

    outcome = judged(Check("SCH-07", "model", notes), Check("SCH-04", "model", fails))
    assert outcome.verdict is Verdict.PASS
    assert set(names) == {"memory"}


def test_an_expected_failure_is_searched_for_where_there_is_no_witness():
    check = Check("SCH-04", "model", fails)
    outcome = judged(check, expected=[entry("SCH-04")])
    assert outcome.verdict is Verdict.EXPECTED
    assert outcome.reason == "known (https://x/1)"


def test_an_expected_failure_is_only_repeated_where_there_is_a_witness():
    def ten(case):
        from hypothesis import strategies as st

        case.require(case.draw(st.integers(0, 1000)) < 10, "small")

    check = Check("SCH-04", "model", ten)
    found = judged(check)
    assert found.verdict is Verdict.FAIL
    known = entry("SCH-04", witness={"model": found.witness}, suite=suite_version())
    again = judged(check, expected=[known])
    assert again.verdict is Verdict.EXPECTED
    assert again.examples <= 3  # found, and looked at once more
    assert judged(Check("SCH-04", "model", holds), expected=[known]).verdict is Verdict.STALE


def test_a_witness_of_another_suite_that_passes_is_searched_for():
    known = entry("SCH-04", witness={"model": "eNpL/A8AAcMBYQ=="}, suite="2020.1")
    failing = judged(Check("SCH-04", "model", fails), expected=[known])
    assert failing.verdict is Verdict.EXPECTED
    assert judged(Check("SCH-04", "model", holds), expected=[known]).verdict is Verdict.STALE


def test_an_entry_of_one_lane_says_nothing_of_the_others():
    outcome = judged(Check("LEA-05", "model", fails), expected=[entry("LEA-05", lanes=("race",))])
    assert outcome.verdict is Verdict.FAIL


GOOD = 'reason = "later"\nissue = "https://x/1"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"[LEA-99]\n{GOOD}", "did you mean LEA-09"),
        (f"[EVT-01]\n{GOOD}", "withdrawn"),
        ('[LEA-05]\nreason = "later"', "expected a issue"),
        (f'[LEA-05]\n{GOOD}lanes = ["bowling"]', "found 'bowling'"),
        (f"[LEA-05]\n{GOOD}until = 1", "found 'until'"),
        (f'[LEA-05]\n{GOOD}expires = "2020.1"', "expired"),
        ("[LEA-05", "expected TOML"),
        ("LEA-05 = 1", "expected a table"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused(tmp_path, text, reason):
    file = tmp_path / "conformance.toml"
    file.write_text(text)
    with pytest.raises(InvalidExpectation, match=reason):
        read(file)


def test_an_entry_is_read(tmp_path):
    file = tmp_path / "conformance.toml"
    file.write_text(f'[lea-05]\n{GOOD}expires = "9999.1"\nlanes = ["race"]\n')
    [found] = read(file).values()
    assert found.number == "LEA-05"
    assert found.concerns("race")
    assert not found.concerns("model")
