"""Messages between supervisor, template and workers: whole Python values over a local socket.

The messages hold kits and settings, which are objects of the user's program; both ends are that
program, the socket has no address, and nothing that a task carries ever passes here. That is why
they are pickled although payloads never are.

One socket serves three ends. It carries orders and reports; an open file may travel with a
message; and its end-of-file tells each side that the other process is gone, whichever way it died.
"""

from __future__ import annotations

import os
import pickle  # noqa: TID251 - see above: the program talks to itself, payloads stay out
import socket
import struct
import threading
from array import array
from collections import deque
from typing import Any, Final

from taskkit.worker.inheritance import withheld_pair, withhold

_LENGTH: Final = struct.Struct("!I")
_CHUNK: Final = 65_536
_FILES: Final = socket.CMSG_SPACE(64 * array("i").itemsize)
"""Room for the open files that one read may bring; a message brings at most one."""


class Line:
    """One end of a socket that carries messages. ``send`` may be called from several threads."""

    def __init__(self, end: socket.socket) -> None:
        # Where it came through an exec it is inheritable.
        withhold(end)
        self._socket = end
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._files: deque[int] = deque()
        self.ended = False
        """The other end is gone: nothing more will come."""

    @classmethod
    def pair(cls) -> tuple[Line, socket.socket]:
        """Return a line, and the socket of its other end to hand to another process."""
        near, far = withheld_pair()
        return cls(near), far

    def fileno(self) -> int:
        """Return the descriptor, for ``select``."""
        return self._socket.fileno()

    def send(self, message: Any, file: int | None = None) -> bool:
        """Send a message, with an open file if given; False if the other end is gone."""
        body = pickle.dumps(message)
        frame = _LENGTH.pack(len(body)) + body
        with self._lock:
            try:
                if file is None:
                    self._socket.sendall(frame)
                else:
                    sent = socket.send_fds(self._socket, [frame], [file])
                    self._socket.sendall(frame[sent:])
            except OSError:
                return False
        return True

    def receive(self) -> list[Any]:
        """Return the messages that have arrived, perhaps none; never blocks.

        Sets ``ended`` at end-of-file.
        """
        while not self.ended:
            try:
                # Not `recv_fds`, which ignores its flags.
                data, extras, _, _ = self._socket.recvmsg(_CHUNK, _FILES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data, extras = b"", []
            self._keep_files(extras)
            self._buffer += data
            self.ended = not data
        return self._take_whole()

    def wait(self) -> Any:
        """Block until one message has come and return it, and nothing of those behind it.

        None if the other end is gone. The message must bring no file.
        """
        head = self._read(_LENGTH.size)
        if head is None:
            return None
        body = self._read(_LENGTH.unpack(head)[0])
        return None if body is None else pickle.loads(body)  # noqa: S301 - as above

    def file(self) -> int:
        """Return the file that came with the oldest message whose file was not taken yet."""
        return self._files.popleft()

    def close(self) -> None:
        """Close this end, and the files that came and were not taken. Twice is no error."""
        self._socket.close()
        while self._files:
            os.close(self._files.popleft())

    def _read(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                # A signal ends even this in the middle.
                more = self._socket.recv(size - len(data), socket.MSG_WAITALL)
            except OSError:
                return None
            if not more:
                return None
            data += more
        return data

    def _keep_files(self, extras: list[tuple[int, int, bytes]]) -> None:
        for level, kind, body in extras:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files = array("i")
                files.frombytes(body[: len(body) - len(body) % files.itemsize])
                for file in files:
                    # They arrive inheritable, and no subprocess of a task may hold a line open.
                    os.set_inheritable(file, False)
                self._files.extend(files)

    def _take_whole(self) -> list[Any]:
        messages: list[Any] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(pickle.loads(self._buffer[_LENGTH.size : end]))  # noqa: S301 - as above
            del self._buffer[:end]
        return messages
