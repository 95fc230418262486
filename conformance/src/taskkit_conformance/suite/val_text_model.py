"""Texts: of any length that is allowed, of any characters that can be printed."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from taskkit.errors import InvalidTask
from taskkit.limits import (
    DEFAULT_MAX_DATA_BYTES,
    MAX_GROUP_LENGTH,
    MAX_KEY_LENGTH,
    MAX_LABEL_KEY_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
)
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    claimed,
    counts,
    get,
    ids,
    kit_of,
    refused,
    worker,
)

_LETTERS = st.sampled_from(["n", "é", "😀", "'", "%"])


@proves("VAL-01")
def texts_of_the_declared_length_are_kept_whole(case: Case) -> None:
    """Also where two differ in their last character only."""
    worker(case)
    letter, other = case.draw(_LETTERS), "x"
    longest = {"name": MAX_NAME_LENGTH, "unique_key": MAX_KEY_LENGTH, "lock_key": MAX_KEY_LENGTH}
    texts = {field: letter * size for field, size in longest.items()}
    alike = {field: text[:-1] + other for field, text in texts.items()}
    group = letter * MAX_GROUP_LENGTH
    label = {letter * MAX_LABEL_KEY_LENGTH: letter * MAX_LABEL_LENGTH}
    first, second = case.task(group, labels=label, **texts), case.task(group, **alike)
    kit_of(case).put_new([first, second])
    for task, expected in ((first, texts), (second, alike)):
        stored = get(case, task.id).task
        found = {field: getattr(stored, field) for field in expected}
        case.equal(found, expected, f"the texts of {case.words(task.id)}")
    case.equal(dict(get(case, first.id).task.labels), label, "the labels")
    case.equal(len(claimed(case, group, 5)), 2, "how many can be claimed, their locks being two")


@proves("VAL-01")
def one_more_character_isrefused(case: Case) -> None:
    """Before anything is written; and one more byte of data."""
    letter = case.draw(_LETTERS)
    kind = case.draw(st.sampled_from(["group", "name", "key", "lock", "label", "labels", "data"]))
    long: dict[str, Any] = {
        "name": {"name": letter * (MAX_NAME_LENGTH + 1)},
        "key": {"unique_key": letter * (MAX_KEY_LENGTH + 1)},
        "lock": {"lock_key": letter * (MAX_KEY_LENGTH + 1)},
        "label": {"labels": {"k": letter * (MAX_LABEL_LENGTH + 1)}},
        "labels": {"labels": {f"k{n}": n for n in range(MAX_LABELS + 1)}},
        "data": {"data": b"x" * (DEFAULT_MAX_DATA_BYTES + 1)},
    }.get(kind, {})
    group = letter * (MAX_GROUP_LENGTH + 1) if kind == "group" else "g"
    with refused(case, f"a {kind} that is one too long", InvalidTask):
        kit_of(case).put_new([case.task(), case.task(group, **long)])
    case.equal(counts(case), {}, "what is written of a call that is refused")


@proves("VAL-06")
def hostile_text_is_text(case: Case) -> None:
    """As group, name, keys, label, worker, schedule: nothing aliases, nothing injects."""
    name = worker(case, case.draw(values.texts(100)))
    one, two = case.draw(values.alike())
    text = case.draw(values.groups())
    for group, word in ((one, text), (two, one)):
        fields = {"name": word, "unique_key": word, "lock_key": word, "labels": {word: word}}
        add(case, group, **fields)
    mine, other = ids(case, group=one), ids(case, group=two)
    case.equal((len(mine), len(other)), (1, 1), f"how many are found in {one!r} and {two!r}")
    task = get(case, mine[0]).task
    seen = (task.group, task.name, task.unique_key, task.lock_key, dict(task.labels))
    case.equal(seen, (one, text, text, text, {text: text}), "the texts of the first")
    case.equal(ids(case, name=text, group=one), mine, f"what is found by the name {text!r}")
    case.equal([c.group for c in case.backend.count([two])], [two], f"the counts of {two!r}")
    case.backend.pause([two])
    case.equal(claimed(case, one, 5, worker_id=name), mine, f"what is claimed of {one!r}")
    case.equal(claimed(case, two, 5, worker_id=name), [], f"what is claimed of {two!r}, paused")
    case.equal([w.info.id for w in case.backend.workers()], [name], "the worker")
    case.backend.delete(mine)
    case.equal(ids(case), other, "what is left after the first is deleted")


_BAD = ["\x00", "\n", "\t", "\x7f", "\x1b", "\u2028", "\ud800", ""]


@proves("VAL-06")
def control_characters_arerefused(case: Case) -> None:
    """In every text that steers something."""
    bad = case.draw(st.sampled_from(_BAD))
    text = bad and f"a{bad}b"
    kind = case.draw(st.sampled_from(["group", "name", "unique_key", "lock_key", "dots"]))
    group = {"group": text, "dots": case.draw(st.sampled_from([".a", "a.", "a..b", ".", "*"]))}
    fields = {kind: text} if kind not in group else {}
    name = group.get(kind, "g")
    with refused(case, f"{text!r} as {kind}", InvalidTask):
        kit_of(case).put_new([case.task(name, id=f"{name}_{1:032x}", **fields)])
    case.equal(counts(case), {}, "what is written of it")
