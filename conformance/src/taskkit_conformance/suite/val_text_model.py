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
    claimed,
    counts,
    get,
    ids,
    kit_of,
    put,
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
def one_more_character_is_refused(case: Case) -> None:
    """Before anything is written; and one more byte of data."""
    letter = case.draw(_LETTERS)
    long: dict[str, dict[str, Any]] = {
        "group": {"group": letter * (MAX_GROUP_LENGTH + 1)},
        "name": {"name": letter * (MAX_NAME_LENGTH + 1)},
        "key": {"unique_key": letter * (MAX_KEY_LENGTH + 1)},
        "lock": {"lock_key": letter * (MAX_KEY_LENGTH + 1)},
        "label": {"labels": {"k": letter * (MAX_LABEL_LENGTH + 1)}},
        "labels": {"labels": {f"k{n}": n for n in range(MAX_LABELS + 1)}},
        "data": {"data": b"x" * (DEFAULT_MAX_DATA_BYTES + 1)},
    }
    for kind, fields in long.items():
        with refused(case, f"a {kind} that is one too long", InvalidTask):
            kit_of(case).put_new([case.task(), case.task(**fields)])
        case.equal(counts(case), {}, "what is written of a call that is refused")


@proves("VAL-06")
def hostile_text_is_text(case: Case) -> None:
    """As group, name, keys, label, worker: nothing aliases, nothing injects."""
    crowd = case.draw(values.crowds())
    name = worker(case, crowd[0])
    texts = [*crowd, case.draw(values.groups(subgroups=False))]
    texts = list(dict.fromkeys(texts))
    tasks = [
        case.task(text, name=text, unique_key=text, lock_key=text, labels={text: text})
        for text in texts
    ]
    put(case, *tasks)
    paused = case.draw(st.sampled_from(texts))
    case.backend.pause([paused])
    for text, task in zip(texts, tasks, strict=True):
        stored = get(case, task.id).task
        seen = (stored.group, stored.name, stored.unique_key, stored.lock_key, dict(stored.labels))
        case.equal(seen, (text, text, text, text, {text: text}), f"the texts of {text!r}")
        case.equal(ids(case, group=text), [task.id], f"what is found in the group {text!r}")
        case.equal(ids(case, name=text), [task.id], f"what is found by the name {text!r}")
        given = claimed(case, text, 5, worker_id=name)
        case.equal(given, [] if text == paused else [task.id], f"what a claim of {text!r} gives")
    case.equal([each.info.id for each in case.backend.workers()], [name], "the worker")
    case.equal(len(case.backend.count(texts[:1])), 1, f"how many counts {texts[0]!r} has")


_BAD = ["\x00", "\n", "\t", "\x7f", "\x1b", "\u2028", "\ud800", ""]


@proves("VAL-06")
def control_characters_are_refused(case: Case) -> None:
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
