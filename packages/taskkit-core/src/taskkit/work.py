"""Starting workers: the methods of ``Kit`` that run tasks, in this process or in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from taskkit.settings import StartMethod
from taskkit.worker.options import GroupSlots, check_processes, worker_settings

if TYPE_CHECKING:
    from taskkit.kit import Kit
    from taskkit.schedule import ScheduleEntriesCompatMapping
    from taskkit.worker.handle import WorkerProcess
    from taskkit.worker.runtime import WorkerRuntime


def start(
    kit: Kit,
    num_processes: int,
    num_worker_threads_per_group: GroupSlots,
    schedule_entries: ScheduleEntriesCompatMapping | None = None,
    tzinfo: tzinfo | None = None,
    polling_interval: float | None = None,
    helper_services: bool | Callable[[int], bool] = True,
    should_restart: Callable[[WorkerProcess], bool] | None = None,
    *,
    start_method: StartMethod = "auto",
    **options: Any,
) -> None:
    """Run workers and supervise them until they are told to stop. Blocks.

    Args:
        kit: The kit whose tasks are worked on.
        num_processes: Worker processes.
        num_worker_threads_per_group: Slots for each group in each process.
        schedule_entries: Entries for each scheduler; without any, those of the kit.
        tzinfo: The zone of schedules that name none; without one, that of the kit.
        polling_interval: Seconds after which an idle worker looks although nothing woke it.
        helper_services: Which processes reclaim, purge and run the schedulers.
        should_restart: Asked about each process every second; true restarts it gracefully.
        start_method: ``forkserver`` forks workers from a template process, ``spawn`` starts
            each afresh; ``auto`` is the first where it is safe.
        options: Other fields of ``WorkerSettings``: ``grace``, ``max_tasks``, ``drain`` …

    Raises:
        InvalidSetting: a setting is unknown or outside its limits, or the handler cannot be sent
            to other processes.
    """
    stop_import_here()
    from taskkit.worker.supervisor import supervise

    supervise(
        kit,
        check_processes(num_processes),
        worker_settings(
            kit, num_worker_threads_per_group, schedule_entries, tzinfo, polling_interval, **options
        ),
        should_restart=should_restart,
        start_method=start_method,
        helper_services=helper_services,
    )


def start_processes(
    kit: Kit,
    num_processes: int,
    num_worker_threads_per_group: GroupSlots,
    schedule_entries: ScheduleEntriesCompatMapping | None = None,
    tzinfo: tzinfo | None = None,
    polling_interval: float | None = None,
    helper_services: bool | Callable[[int], bool] = True,
    *,
    daemon: bool = True,
    start_method: StartMethod = "auto",
    **options: Any,
) -> list[WorkerProcess]:
    """Start worker processes and return at once; the other arguments are those of ``start``.

    Args:
        kit: The kit whose tasks are worked on.
        num_processes: Worker processes.
        num_worker_threads_per_group: Slots for each group in each process.
        schedule_entries: Entries for each scheduler.
        tzinfo: The zone of schedules that name none.
        polling_interval: Seconds after which an idle worker looks although nothing woke it.
        helper_services: Which processes reclaim, purge and run the schedulers.
        daemon: End the processes when this program ends; otherwise the program waits for them.
        start_method: How processes are started.
        options: Other fields of ``WorkerSettings``.
    """
    stop_import_here()
    from taskkit.worker.supervisor import start_processes as start_them

    return start_them(
        kit,
        check_processes(num_processes),
        worker_settings(
            kit, num_worker_threads_per_group, schedule_entries, tzinfo, polling_interval, **options
        ),
        daemon=daemon,
        start_method=start_method,
        helper_services=helper_services,
    )


@contextmanager
def running(
    kit: Kit,
    threads: GroupSlots,
    schedule_entries: ScheduleEntriesCompatMapping | None = None,
    tzinfo: tzinfo | None = None,
    **options: Any,
) -> Iterator[WorkerRuntime]:
    """Run a worker in this process while the block lasts: for tests and small programs.

    At the end of the block it stops claiming, lets running tasks finish within ``grace`` seconds,
    gives back the rest and retires. The arguments are those of ``start``.
    """
    stop_import_here()
    from taskkit.worker.runtime import WorkerRuntime

    settings = worker_settings(kit, threads, schedule_entries, tzinfo, None, **options)
    runtime = WorkerRuntime(kit.backend, kit.handler, kit.hooks, settings)
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop()
        runtime.join()


def stop_import_here() -> None:
    """Do nothing, unless this is a worker process that imports the main program (see ``launch``).

    A program without an ``if __name__ == "__main__"`` guard would start its workers again there.
    """
    from taskkit.worker.launch import stop_import_here as stop

    stop()


__all__ = ["running", "start", "start_processes", "stop_import_here", "worker_settings"]
