"""What a report tells: the command that repeats a failure."""

from __future__ import annotations

import pytest

from taskkit_conformance.bench import Target
from taskkit_conformance.facts import Facts
from taskkit_conformance.telling import command
from taskkit_conformance.verdicts import Outcome, Verdict

MADE = "mystore://u:***@h/conformance_1"
OUTCOME = Outcome("LEA-05", "race", Verdict.FAIL, seed=7)


def told(url, *options):
    facts = Facts("mystore", MADE, "mystore 1", {})
    return command(Target("mystore", url, options), facts, OUTCOME, "quick")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, ""),
        ("mystore://h/{namespace}", " --url 'mystore://h/{namespace}'"),
        ("mystore://u:secret@h/1", " --url 'mystore://u:***@h/1'"),
        (lambda: "mystore://h/1", f" --url '{MADE}'"),  # a person has no other
    ],
)
def test_a_failure_is_repeated_where_the_person_said(url, shown):
    rest = " --property LEA-05 --lanes race --profile quick --seed 7"
    assert told(url) == f"taskkit-conformance mystore{shown}{rest}"


def test_a_failure_is_repeated_with_the_options_that_were_given_but_no_secret():
    found = told(None, ("batch", 3), ("name", "a b"), ("password", "hidden"))
    assert "--option batch=3 --option 'name=a b' --option 'password=***' --property" in found
