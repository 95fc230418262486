"""A TCP proxy on loopback that a test makes slow, silent or broken.

It stands between a client and a store: ``at_address(url, proxy.address)`` is the URL through it.
Each direction has its own ``Flow``; changes hold at once, for open connections and new ones.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from taskkit_conformance.servers.urls import Address

T = TypeVar("T")

_CHUNK: Final = 65_536
_JOIN_TIMEOUT: Final = 10
_ROUNDS: Final = 5

# On close nothing more is sent and the peer is reset, as by a router that forgot the connection.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Flow:
    """What becomes of bytes in one direction."""

    mode: Literal["pass", "hold", "cut"] = "pass"
    """``hold``: they are kept back for as long as that is so, as by a broken link that nobody
    notices. ``cut``: instead of being passed on they reset their connection."""
    delay: float = 0.0
    """Seconds before they are passed on."""
    after: int = 0
    """So many pieces are passed on first: a question or an answer is one piece, mostly."""


PASS: Final = Flow()
HOLD: Final = Flow("hold")
CUT: Final = Flow("cut")

Direction: TypeAlias = Literal["store", "client"]


class Proxy:
    """Forwards connections to a target. Thread-safe; its loop runs in a thread of its own."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.accepted = 0
        """Connections so far."""
        self._flows: dict[Direction, Flow] = {"store": PASS, "client": PASS}
        self._passed: dict[Direction, int] = {"store": 0, "client": 0}
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        """All there were, kept to the end: only there is it sure that none is open any more."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="taskkit-proxy", daemon=True
        )
        self._thread.start()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._run(self._listen())

    @property
    def address(self) -> Address:
        """Where it listens; the same for its whole life."""
        return Address("127.0.0.1", self._port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- trouble

    def set(self, *, to_store: Flow = PASS, to_client: Flow = PASS) -> None:
        """Say what becomes of bytes in each direction from now on."""
        self._run(self._set(to_store, to_client))

    def heal(self) -> None:
        """Pass everything on, and accept connections, as in the beginning."""
        self.set()
        self.accept()

    def cut(self) -> int:
        """Reset all connections; return how many there were. New ones are accepted."""
        return self._run(self._cut())

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, as if nothing ran at the address."""
        self._run(self._refuse())

    def accept(self) -> None:
        """Accept connections again."""
        self._run(self._listen())

    def close(self) -> None:
        """Reset all connections and end. Closing twice is no error."""
        if self._loop.is_closed():
            return
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_TIMEOUT)
        self._loop.close()

    # ---- in the loop

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_JOIN_TIMEOUT)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _set(self, to_store: Flow, to_client: Flow) -> None:
        self._flows = {"store": to_store, "client": to_client}
        self._passed = {"store": 0, "client": 0}
        self._changed.set()
        self._changed = asyncio.Event()

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._cut()

    async def _end(self) -> None:
        await self._refuse()
        # Once more and again: what was accepted just before comes in with the next round of the
        # loop, and what was aborted is over after it. One that was closed may still wait for a
        # peer that is dead to take its last bytes.
        for _ in range(_ROUNDS):
            await self._cut()
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0)

    async def _cut(self) -> int:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine itself: asyncio reports those that are cancelled as errors.
        self._writers.add(writer)
        task = self._loop.create_task(self._forward(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        writers = [writer]
        try:
            there, back = await asyncio.open_connection(*self.target)
            writers.append(back)
            self._writers.add(back)
            pumps = [
                asyncio.ensure_future(self._pump(reader, back, "store")),
                asyncio.ensure_future(self._pump(there, writer, "client")),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                ends = await asyncio.gather(*pumps, return_exceptions=True)
            if "end" in ends:  # a reset could overtake what is still on its way
                for each in writers:
                    each.close()
        except OSError:
            pass  # the target is not there: neither are we
        finally:
            for each in writers:
                _reset(each)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, towards: Direction
    ) -> Literal["end", "cut"]:
        """Pass bytes on; return why no more come. An end closes both directions."""
        while chunk := await source.read(_CHUNK):
            while (flow := self._flow(towards)).mode == "hold":
                await self._changed.wait()
            if flow.mode == "cut":
                return "cut"
            self._passed[towards] += 1
            if flow.delay:
                await asyncio.sleep(flow.delay)
            sink.write(chunk)
            await sink.drain()
        return "end"

    def _flow(self, towards: Direction) -> Flow:
        flow = self._flows[towards]
        return flow if self._passed[towards] >= flow.after else PASS


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if writer.is_closing():
        return
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
