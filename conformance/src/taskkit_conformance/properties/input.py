"""What is accepted and what is refused: VAL."""

from __future__ import annotations

from functools import partial
from typing import Final

from taskkit_conformance.properties.property import Property

_store = partial(Property, level="Store")

PROPERTIES: Final = (
    _store(
        "VAL-01",
        "Texts and data of exactly the declared length are accepted; one more is refused before "
        "anything is written. Nothing is cut.",
        "A value that is cut is another value.",
        history="put name of 200 characters → put · of 201 → InvalidTask",
        mistake="A column that cuts; bytes counted for characters.",
    ),
    _store(
        "VAL-02",
        "NaN and infinity are refused wherever seconds are given: ttl, timeout, the period of a "
        "rate.",
        "NaN compares with nothing, so such a task is neither due nor not.",
        history="put ttl NaN → InvalidTask",
        mistake="Comparisons that NaN slips through.",
    ),
    _store(
        "VAL-03",
        "A naive datetime is local time at the Kit and is refused below it.",
        "People think in their own zone; a store has none.",
        history="kit.initiate_task(due=datetime(2030, 1, 1, 9)) → due at 9 local time",
        mistake="Read as UTC.",
        scope="core",
    ),
    _store(
        "VAL-04",
        "Data that is like bytes (a bytearray, a memoryview) is stored and returned as `bytes`; "
        "text is refused.",
        "A handler decodes bytes, not a driver's view of them.",
        history="put data memoryview(b'x') → data b'x', of type bytes · put data 'x' → InvalidTask",
        mistake="A driver's memoryview or bytearray that is handed on.",
    ),
    _store(
        "VAL-05",
        "A limit of 0 gives nothing; a negative one is refused: of find, purge, reclaim and claim.",
        "In some stores a negative limit means everything.",
        history="put t1 · claim 0 → nothing · claim -1 → InvalidInput",
        mistake="`LIMIT -1`.",
    ),
    _store(
        "VAL-06",
        "Ids, groups, names, keys and labels with separators, wildcards, quotes, braces, blanks, "
        "case "
        "pairs, composed and decomposed accents and astral characters neither alias nor inject; "
        "control characters are refused.",
        "User data never becomes SQL, Lua or a key pattern.",
        history="put t1 in `a%`, t2 in `ab` · claim of `a%` → t1 alone",
        mistake="Unescaped LIKE, KEYS or format strings; a collation that folds.",
    ),
    _store(
        "VAL-07",
        "Instants come back to the declared resolution, rounded down, their order unchanged.",
        "Boundaries are one step wide.",
        history="put due 1.234567 → due 1.234567 (resolution one microsecond)",
        mistake="Floats; seconds; rounding up, so that a task is due before its due.",
    ),
    _store(
        "VAL-08",
        "Instants from 1970 to 9999 work, 2038 included; earlier and later ones are refused.",
        "A column of 32 bits is a bomb.",
        history="put due 9999-12-31T23:59:59.999999 → put · due -1 → InvalidTask",
        mistake="Unsigned or 32-bit columns; a driver's datetime.",
    ),
    _store(
        "VAL-09",
        "What a backend does not declare it refuses with Unsupported, never silently.",
        "Silence would be taken for success.",
        history="no transactional_put · put within a session → Unsupported, nothing is put",
        mistake="Ignoring the argument.",
    ),
    _store(
        "VAL-10",
        "Failures of the store arrive as BackendError, with the driver's error as its cause.",
        "A worker backs off from one kind of error, whatever the store.",
        "X",
        history="the store is stopped · put → Unavailable, caused by the driver's error",
        mistake="The driver's exception leaks, or is swallowed.",
        capability="shared",
    ),
)
