"""Starting worker processes and keeping them alive: what ``Kit.start`` and the command line call.

While ``supervise`` blocks in the main thread it obeys signals. SIGTERM and SIGINT stop: the first
gracefully, the second releases what still runs, the third kills. SIGHUP loads the program anew and
replaces the workers one by one.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from taskkit.errors import InvalidSetting, WorkerStartFailed
from taskkit.worker.crew import Crew
from taskkit.worker.launch import KitReference, describe, pack
from taskkit.worker.launcher import can_fork
from taskkit.worker.messages import Force

if TYPE_CHECKING:
    from taskkit.kit import Kit
    from taskkit.settings import StartMethod, WorkerSettings
    from taskkit.worker.handle import WorkerProcess
    from taskkit.worker.options import PartialSettings

_log = logging.getLogger("taskkit.supervisor")

_EXIT_MARGIN = 10.0
"""Seconds beyond the grace that the program's own exit waits for its workers."""


def supervise(
    kit: Kit | KitReference,
    processes: int,
    settings: WorkerSettings | PartialSettings,
    *,
    should_restart: Callable[[WorkerProcess], bool] | None = None,
    start_method: StartMethod = "auto",
    helper_services: bool | Callable[[int], bool] = True,
    log_level: str | None = None,
    reload: bool = False,
) -> None:
    """Run worker processes until they are told to stop, have drained, or were shut down. Blocks.

    Args:
        kit: The kit to serve, or where to find it; with a reference this process does not load
            the user's code at all.
        processes: How many, at least 1.
        settings: For each process; with a reference they may be partial.
        should_restart: Asked about each process every second; true replaces it gracefully.
        start_method: ``auto`` and ``forkserver`` fork from a template process where that is
            safe, ``spawn`` never forks.
        helper_services: Whether, or which, processes reclaim, purge and run schedulers.
        log_level: Have the processes log to stderr; None leaves logging to the program.
        reload: Do as with SIGHUP whenever a Python file below the working folder changes.

    Raises:
        InvalidSetting: the kit cannot be sent to processes.
        WorkerStartFailed: the processes cannot start; all are stopped.
    """
    with ExitStack() as stack:
        # Before anything is started: it says when watchfiles is not installed.
        watching = _watcher() if reload else None
        crew = _gather(
            kit, processes, settings, start_method, helper_services, should_restart, log_level
        )
        if watching is not None:
            stack.enter_context(watching(crew.restart))
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_obeying_signals(crew))
        crew.run()


def start_processes(
    kit: Kit | KitReference,
    processes: int,
    settings: WorkerSettings | PartialSettings,
    *,
    daemon: bool = True,
    start_method: StartMethod = "auto",
    helper_services: bool | Callable[[int], bool] = True,
) -> list[WorkerProcess]:
    """Start worker processes and return once they run; a thread keeps them alive.

    When the program exits they are stopped gracefully, and it waits for that; with
    ``daemon=False`` it waits before for them to end by themselves. If it is killed they notice,
    and stop.

    Raises:
        InvalidSetting: the kit cannot be sent to processes.
        WorkerStartFailed: the processes cannot load it.
    """
    crew = _gather(kit, processes, settings, start_method, helper_services, None, None)

    def run() -> None:
        try:
            crew.run()
        except WorkerStartFailed as failure:
            # Whoever waits for the start gets it below, too; later nobody waits.
            _log.error("%s", failure)

    thread = threading.Thread(target=run, name="taskkit supervisor", daemon=daemon)
    thread.start()
    crew.settled.wait()
    if crew.failure is not None:
        thread.join()
        raise crew.failure
    program = os.getpid()

    def stop_at_exit() -> None:
        # A fork of the program inherits its exit functions, but not its workers.
        if os.getpid() == program:
            crew.stop(Force.GRACEFUL)
            thread.join(settings.grace + _EXIT_MARGIN)

    atexit.register(stop_at_exit)
    return crew.processes


def _gather(
    kit: Kit | KitReference,
    processes: int,
    settings: WorkerSettings | PartialSettings,
    start_method: StartMethod,
    helper_services: bool | Callable[[int], bool],
    should_restart: Callable[[WorkerProcess], bool] | None,
    log_level: str | None,
) -> Crew:
    if start_method not in ("auto", "forkserver", "spawn"):
        raise InvalidSetting(
            f"start_method: expected 'auto', 'forkserver' or 'spawn', found {start_method!r}"
        )

    def settings_of(index: int) -> bytes:
        # Asked here, so that the callable itself need not be sent anywhere.
        helps = helper_services(index) if callable(helper_services) else helper_services
        return pack("the worker settings", replace(settings, services=bool(helps)))

    return Crew(
        describe(kit, log_level),
        [settings_of(index) for index in range(processes)],
        grace=settings.grace,
        fork=start_method != "spawn" and can_fork(),
        should_restart=should_restart,
    )


def _watcher() -> Callable[[Callable[[], None]], AbstractContextManager[None]]:
    from taskkit.worker.reload import watching

    return watching


@contextmanager
def _obeying_signals(crew: Crew) -> Iterator[None]:
    """Let signals steer the crew, and put back the program's own handlers at the end."""
    actions = {
        signal.SIGTERM: crew.stop_harder,
        signal.SIGINT: crew.stop_harder,
        signal.SIGHUP: crew.restart,
    }
    before = {
        number: signal.signal(number, lambda got, _: actions[signal.Signals(got)]())
        for number in actions
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was installed by something that is not Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
