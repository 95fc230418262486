"""The bare push: what a server and its driver need to carry a word from one process into another.

It is the least that a push can cost on a machine, and depends more on how soon that wakes a process
than on anything else: the figures of latency stand beside it. On Redis a list, on which the other
process blocks; on PostgreSQL a row with a NOTIFY, claimed by one statement. Both ends are read from
the same clock: before the row is written, and once the other process holds it.

    python benchmarks/pushed.py URL      # be the other process
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from bench import HERE, processes


class Place(Protocol):
    """Both ends of the push, for one of them each."""

    def prepare(self) -> None:
        """Make what the words need."""
        ...

    def send(self, word: str) -> None:
        """Let the other process have a word."""
        ...

    def received(self) -> Iterator[str]:
        """Yield words as they come."""
        ...

    def answer(self, text: str) -> None:
        """Tell what became of a word."""
        ...

    def answered(self) -> str | None:
        """Return an answer that has come."""
        ...


class Redis:
    """Two lists."""

    def __init__(self, url: str) -> None:
        import redis

        self._client: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)

    def prepare(self) -> None:  # noqa: D102 - the protocol says it
        pass

    def send(self, word: str) -> None:  # noqa: D102 - the protocol says it
        self._client.rpush("words", word)

    def received(self) -> Iterator[str]:  # noqa: D102 - the protocol says it
        while True:
            yield self._client.blpop("words")[1]

    def answer(self, text: str) -> None:  # noqa: D102 - the protocol says it
        self._client.rpush("answers", text)

    def answered(self) -> str | None:  # noqa: D102 - the protocol says it
        return self._client.lpop("answers")


class Postgres:
    """A table of words; what is claimed is answered in its row."""

    TABLE = """
        CREATE TABLE IF NOT EXISTS word (n bigserial PRIMARY KEY, word text NOT NULL,
            state int NOT NULL DEFAULT 0, answer text);
        CREATE INDEX IF NOT EXISTS ready_word ON word (n) WHERE state = 0"""
    SEND = """
        WITH put AS (INSERT INTO word (word) VALUES (%s)) SELECT pg_notify('words', '')"""
    CLAIM = """
        UPDATE word SET state = 1 WHERE n = (
            SELECT n FROM word WHERE state = 0 ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING n, word"""
    ANSWER = "UPDATE word SET answer = %s WHERE n = %s"
    ANSWERED = """
        DELETE FROM word WHERE n = (SELECT n FROM word WHERE answer IS NOT NULL LIMIT 1)
        RETURNING answer"""

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)
        self._listening = psycopg.connect(url, autocommit=True)
        self._claimed = 0

    def prepare(self) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.TABLE)

    def send(self, word: str) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.SEND, (word,))

    def received(self) -> Iterator[str]:  # noqa: D102 - the protocol says it
        self._listening.execute("LISTEN words")
        while True:
            while found := self._connection.execute(self.CLAIM).fetchone():
                self._claimed, word = found
                yield word
            for _ in self._listening.notifies(stop_after=1):
                pass

    def answer(self, text: str) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.ANSWER, (text, self._claimed))

    def answered(self) -> str | None:  # noqa: D102 - the protocol says it
        found = self._connection.execute(self.ANSWERED).fetchone()
        return found[0] if found else None


def latencies(url: str, samples: int, pause: tuple[float, float]) -> list[float]:
    """Return how many seconds each push took, with nothing for some time before it."""
    place = _place(url)
    place.prepare()
    with processes([sys.executable, str(HERE / "pushed.py"), url], env={}):
        for _ in range(10):  # connections made, statements prepared
            _pushed(place)
        found = []
        for _ in range(samples):
            time.sleep(random.uniform(*pause))
            found.append(_pushed(place))
    return found


def _pushed(place: Place) -> float:
    place.send(repr(time.time()))
    while True:
        # Asked for only when it is over: to ask meanwhile would keep the machine awake.
        time.sleep(0.02)
        text = place.answered()
        if text is not None:
            return float(text)


def _place(url: str) -> Place:
    return Postgres(url) if url.startswith("postgres") else Redis(url)


def main() -> None:
    """Receive until ended."""
    place = _place(sys.argv[1])
    for word in place.received():
        place.answer(repr(time.time() - float(word)))


if __name__ == "__main__":
    main()
