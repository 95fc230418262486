"""``docs/lifecycle.md`` says of transitions exactly what ``taskkit.task.TRANSITIONS`` says."""

from __future__ import annotations

import re
from pathlib import Path

from taskkit.task import TRANSITIONS, State

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text("utf-8")
GONE = "*gone*"


def arrows():
    return {(before, after) for before, afters in TRANSITIONS.items() for after in afters}


def test_table_has_every_transition_and_no_other():
    rows = re.findall(r"^\| (`\w+`|\*gone\*) \| ((?:`\w+`|\*gone\*)[^|]*) \| (.+) \|$", PAGE, re.M)
    told = {
        (state(before), state(after))
        for before, afters, _ in rows
        for after in re.findall(r"`\w+`|\*gone\*", afters)
    }
    assert told == arrows()


def test_every_state_is_described():
    described = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.M)
    assert described == [each.value for each in State]


def test_picture_shows_only_allowed_transitions():
    drawn = re.findall(r"^    (\S+) --> (\S+): ", PAGE, re.M)
    assert len(drawn) > 10
    assert {(state(before), state(after)) for before, after in drawn} <= arrows()
    ends = {name for pair in drawn for name in pair} - {"[*]"}
    assert ends == {each.value for each in State}


def state(text):
    return None if text in {GONE, "[*]"} else State(text.strip("`"))
