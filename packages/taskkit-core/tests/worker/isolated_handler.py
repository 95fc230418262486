"""A handler that child processes can import."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from taskkit.context import current_task


class Handler:
    retry: float | None = None

    def handle(self, task: Any) -> Any:
        return getattr(self, task.name)(task)

    def is_isolated(self, task: Any) -> bool:
        return task.name != "here"

    def get_retry_interval(self, task: Any, exception: Exception) -> float | None:
        return self.retry

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Any, result: Any) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Any, encoded: bytes) -> Any:
        return json.loads(encoded)

    def here(self, task: Any) -> int:
        return os.getpid()

    pid = here

    def fails(self, task: Any) -> None:
        raise ValueError("in the child")

    async def awaits(self, task: Any) -> str:
        await asyncio.sleep(0)
        return current_task().id

    def exits(self, task: Any) -> None:
        os._exit(7)

    def is_killed(self, task: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def leaves_a_fork_and_is_killed(self, task: Any) -> None:
        self._leave_a_fork()
        os.kill(os.getpid(), signal.SIGKILL)

    def leaves_a_program_and_is_killed(self, task: Any) -> None:
        # Not subprocess, which closes what a program could inherit.
        os.system("sleep 600 & echo $! > left")  # noqa: S605, S607 - a command of ours
        os.kill(os.getpid(), signal.SIGKILL)

    def _leave_a_fork(self) -> None:
        fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        fork.start()
        Path("left").write_text(str(fork.pid))

    def sleeps(self, task: Any) -> None:
        time.sleep(3600)

    async def dozes(self, task: Any) -> None:
        await asyncio.sleep(3600)

    def stubborn(self, task: Any) -> None:
        while True:
            with suppress(BaseException):
                time.sleep(3600)

    def reports_too_much(self, task: Any) -> None:
        current_task().progress(b"x" * 1001)

    def reports(self, task: Any) -> None:
        current_task().progress({"pid": os.getpid()})
        time.sleep(3600)
