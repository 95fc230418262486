"""What checks draw: values that are valid and nasty.

Each strategy puts what has broken stores before its first: names that a collation, a LIKE pattern,
a key pattern or a format string would take for another, bytes that text would spoil, instants at
which something changes and their neighbours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from taskkit.limits import LATEST, MAX_PRIORITY, MIN_PRIORITY
from taskkit.task import Failure, Label

ALIKE: Final = (
    ("mail", "Mail"),
    ("mail", "MAIL"),
    ("mail", "mail "),
    ("mail", " mail"),
    ("mail", "mail2"),
    ("mail", "mai"),
    ("mail", "mailing"),
    ("mail", "ma_l"),
    ("mail", "ma%l"),
    ("mail", "m%"),
    ("mail", "%"),
    ("mail", "_"),
    ("mail", "m*"),
    ("mail", "ma?l"),
    ("mail", "ma[i]l"),
    ("mail", "[a-z]ail"),
    ("mail", "{mail}"),
    ("mail", "mail:x"),
    ("mail", "mail-x"),
    ("mail", "mail_1"),
    ("mail", "mail/x"),
    ("mail", "mail\\"),
    ("mail", "mail'"),
    ("mail", 'mail"'),
    ("mail", "mail`"),
    ("mail", "mail;--"),
    ("mail", "mailé"),
    ("mail", "máil"),
    ("mail", "ｍａｉｌ"),
    ("a_b", "a.b"),
    ("a_b", "a%b"),
    ("a_b", "axb"),
    ("a b", "a  b"),
    ("a b", "a_b"),
    ("caf\u00e9", "cafe\u0301"),
    ("caf\u00e9", "cafe"),
    ("straße", "strasse"),
    ("I", "ı"),
    ("İ", "i\u0307"),
    ("σ", "ς"),
    ("K", "\u212a"),
    ("\ufb01", "fi"),
    ("1", "01"),
    ("1", "1,0"),
    ("0", "NULL"),
    ("%s", "%d"),
    ("{0}", "{}"),
    ("😀", "😁"),
    ("a\u200d", "a") if "\u200d".isprintable() else ("a~", "a"),
)
"""Pairs of names that are two, though somebody may take them for one."""

_NAMES: Final = tuple(dict.fromkeys(name for pair in ALIKE for name in pair))

CROWDS: Final = (
    # what a collation that folds case, width, blanks or endings would take for one
    ("mail", "Mail", "MAIL", "mail ", " mail", "mai", "mail2", "máil", "máil", "ｍａｉｌ", "maıl"),
    # what is a pattern somewhere
    (
        "mail",
        "ma_l",
        "ma%l",
        "m%",
        "%",
        "_",
        "m*",
        "ma?l",
        "ma[i]l",
        "[a-z]ail",
        "{mail}",
        "axb",
        "a_b",
    ),
    # what begins or ends alike
    (
        "mail",
        "mailing",
        "mail-x",
        "mail:x",
        "mail/x",
        "mail_1",
        "mail\\",
        "mail'",
        'mail"',
        "mail;--",
    ),
    # letters that are one letter in some language or form
    ("café", "café", "cafe", "CAFÉ", "straße", "strasse", "STRASSE", "ﬁ", "fi"),
    ("I", "i", "ı", "İ", "i̇", "σ", "ς", "Σ", "K", "k", "K", "😀", "😁"),
    # what something would read as a number, nothing or a placeholder
    ("1", "01", "1,0", "+1", "0", "00", "NULL", "null", "None", "%s", "%d", "{0}", "{}", "?", ":1"),
)
"""Names that are all different, for checks that try them all at once."""

_CHARACTERS: Final = "abAB01 _%*?[]{}()'\"`\\/:;,-+=#$&|<>~^!@éßıσς日本😀𝄞\u0301"


def alike() -> SearchStrategy[tuple[str, str]]:
    """Two names that are easily confused, in either order."""
    return st.sampled_from(ALIKE).flatmap(lambda pair: st.permutations(pair).map(_pair))


def _pair(names: Collection[str]) -> tuple[str, str]:
    one, two = names
    return one, two


def crowds() -> SearchStrategy[list[str]]:
    """Many names that are easily confused, in any order."""
    return st.sampled_from(CROWDS).flatmap(lambda names: st.permutations(list(names)))


def texts(longest: int) -> SearchStrategy[str]:
    """Printable text: names of tasks, keys, labels."""
    drawn = st.text(_CHARACTERS, min_size=1, max_size=min(longest, 12))
    whole = st.sampled_from(["n" * longest, "é" * longest, "😀" * longest])
    return st.sampled_from(_NAMES) | drawn | whole


def groups(*, subgroups: bool = True) -> SearchStrategy[str]:
    """Names of groups, with subgroups among them."""
    part = st.sampled_from(_NAMES).filter(lambda name: "." not in name)
    drawn = part | st.text(_CHARACTERS, min_size=1, max_size=8)
    dotted = st.lists(drawn, min_size=1, max_size=3 if subgroups else 1).map(".".join)
    return dotted.filter(lambda name: name != "*" and len(name) <= 100)


def blobs() -> SearchStrategy[bytes]:
    """Data and results."""
    fixed = [b"", b"\x00", b"\x00\x00", bytes(range(256)), b"null", b"{}", b"'", b"\xff\xfe"]
    large = st.integers(0, 255).map(lambda byte: bytes([byte, 0, 255]) * 30_000)
    return st.sampled_from(fixed) | st.binary(max_size=64) | large


def error_texts() -> SearchStrategy[str]:
    """Any text but lone surrogates, NUL included, long ones too."""
    fixed = ["", "\x00", "a\x00b", "é", "e\u0301", "𝄞", "\u2028", "'; --", "\\", "%s", "x" * 300]
    drawn = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    large = st.integers(256, 70_000).map(lambda size: "é" * size)
    return st.sampled_from(fixed) | drawn | large


def failures() -> SearchStrategy[Failure]:
    """Failures as a worker reports them."""
    return st.builds(Failure, texts(200), error_texts(), error_texts())


def priorities() -> SearchStrategy[int]:
    """From end to end, the ends above all."""
    ends = [MIN_PRIORITY, -1, 0, 1, MAX_PRIORITY]
    return st.sampled_from(ends) | st.integers(MIN_PRIORITY, MAX_PRIORITY)


def labels() -> SearchStrategy[dict[str, Label]]:
    """A few labels, of all types."""
    return st.dictionaries(texts(64), label_values(), max_size=4)


def label_values() -> SearchStrategy[Label]:
    """Values that are easily taken for each other among them."""
    numbers = st.integers(-(2**53), 2**53)
    floats = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: x + 0.0).filter(_not_whole)
    fixed: list[Label] = [True, False, 0, 1, -1, "0", "1", "True", "true", "", "null", 2**53]
    return st.sampled_from(fixed) | texts(255) | numbers | floats


def _not_whole(number: float) -> bool:
    return not number.is_integer()


def around(instants: Collection[int], step: int = 1) -> SearchStrategy[int]:
    """One of these instants, or one step beside it."""
    near = [at + by for at in sorted(set(instants)) for by in (0, -step, step)]
    return st.sampled_from([at for at in near if 0 <= at <= LATEST])


def seconds(low: float = 0.0, high: float = 3600.0) -> SearchStrategy[float]:
    """Durations as people give them; microseconds count."""
    micros = st.integers(round(low * 1_000_000), round(high * 1_000_000))
    return st.sampled_from([low, high]) | micros.map(lambda number: number / 1_000_000)


def number_ids(group: str, count: int) -> SearchStrategy[list[str]]:
    """``count`` ids of a group in any order, near each other and far apart."""
    digits = st.integers(0, 40) | st.integers(0, 2**128 - 1)
    numbers = st.lists(digits, min_size=count, max_size=count, unique=True)
    return numbers.map(lambda drawn: [f"{group}_{number:032x}" for number in drawn])
