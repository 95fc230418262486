"""The Kit: a backend and a handler, and all that a program does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from taskkit import operate
from taskkit.connect import connect_url
from taskkit.convert import Moment
from taskkit.errors import InvalidSetting
from taskkit.handler import TaskHandler
from taskkit.hooks import Hooks
from taskkit.limits import DEFAULT_MAX_DATA_BYTES, check_int, check_task
from taskkit.result import Result
from taskkit.settings import (
    DEFAULT_GRACE,
    DEFAULT_HEARTBEAT,
    DEFAULT_LEASE,
    MAX_PROCESSES,
    Slots,
    StartMethod,
    WorkerSettings,
)
from taskkit.specs import TaskSpec, initiation
from taskkit.task import DEFAULT_TTL, Label, NewTask, State

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock
    from taskkit.operate import Stats, TaskRef
    from taskkit.records import Answered, Page
    from taskkit.schedule import ScheduleEntriesCompatMapping
    from taskkit.schedule.stored import Schedules
    from taskkit.worker.handle import WorkerProcess
    from taskkit.worker.runtime import WorkerRuntime

GroupSlots = Mapping[str, int | str | Slots]
"""Slots for each group: ``{"mail": 8, "crawl": "async:200"}``."""


class Kit:
    """Initiates tasks, reads their results and starts workers.

    Making one connects to nothing. It may be shared between threads and pickled; a pickle holds
    how to open the backend, and the handler.

    Args:
        backend: Where tasks are kept; see ``connect`` and ``Kit.connect``.
        handler: What tasks mean: a ``TaskHandler``, or a ``TaskRegistry``.
        plugins: Objects with hooks (``taskkit.plugins.HookSpec``), beside the installed ones.
        max_data_bytes: The largest data and result of a task that is accepted.
        lease: Seconds without a heartbeat after which a worker counts as dead.
        heartbeat: Seconds between heartbeats; at most half of the lease.
    """

    def __init__(
        self,
        backend: Backend,
        handler: TaskHandler,
        *,
        plugins: Sequence[object] = (),
        max_data_bytes: int = DEFAULT_MAX_DATA_BYTES,
        lease: float = DEFAULT_LEASE,
        heartbeat: float = DEFAULT_HEARTBEAT,
    ) -> None:
        self.backend = backend
        self.handler = handler
        self.hooks = Hooks(plugins)
        self.max_data_bytes = max_data_bytes
        self._plugins = tuple(plugins)
        self._lease = lease
        self._heartbeat = heartbeat
        bind = getattr(handler, "bind", None)
        if bind is not None:
            bind(self)

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "plugins": self._plugins,
            "max_data_bytes": self.max_data_bytes,
            "lease": self._lease,
            "heartbeat": self._heartbeat,
        }
        return _rebuild, (self.backend, self.handler, options)

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        handler: TaskHandler | None = None,
        *,
        clock: Clock | None = None,
        backend_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Kit:
        """Make a kit on the store at ``url``, by the plugin that owns the URL's scheme.

        Args:
            url: Without one, the environment's ``TASKKIT_URL``, else ``sqlite:///taskkit.db``.
            handler: What tasks mean.
            clock: Replaces the store's clock, for tests.
            backend_options: Passed to the backend's plugin.
            options: The other arguments of ``Kit``.

        Raises:
            UnknownBackend: no installed plugin owns the scheme.
        """
        if handler is None:
            raise InvalidSetting(
                "handler: expected a TaskHandler or TaskRegistry, found none: "
                'Kit.connect("sqlite:///taskkit.db", handler)'
            )
        return cls(connect_url(url, clock=clock, **(backend_options or {})), handler, **options)

    def close(self) -> None:
        """Let go of the backend's connections."""
        self.backend.close()

    # ---- initiate

    def initiate_task(
        self,
        group: str,
        name: str,
        data: Any = None,
        due: Moment | None = None,
        ttl: float = DEFAULT_TTL,
        *,
        priority: int = 0,
        unique_key: str | None = None,
        lock_key: str | None = None,
        labels: Mapping[str, Label] | None = None,
        timeout: float | None = None,
        expires: Moment | None = None,
        eager: bool = False,
        within: object | None = None,
        **options: Any,
    ) -> Result[Any]:
        """Put one task and return its future result.

        Args:
            group: 1–100 printable characters; dots make subgroups.
            name: Tells the handler what to do.
            data: What ``handler.encode_data`` can encode.
            due: When it may be claimed, inclusive: a datetime (a naive one is local time), or a
                timedelta or seconds from now by the store's clock. None is now.
            ttl: Seconds for which it is kept after it finished.
            priority: −100 … 100; among due tasks of the group the higher goes first.
            unique_key: At most one unclaimed task of the group has it; where one does already,
                nothing is put and that task's result is returned.
            lock_key: At most one running task of the group has it.
            labels: To find it by.
            timeout: Seconds that one attempt may take.
            expires: Not claimed before this moment, it becomes cancelled.
            eager: Run it here and now instead; its outcome is recorded.
            within: The caller's open transaction; the task exists if and only if it commits.
            options: ``unique_scope``, ``lock_limit``, ``on_lost``, ``max_lost``, ``max_history``.

        Raises:
            InvalidTask: something is outside its limits.
            QueueFull: the group is at its ``max_queue_size``.
        """
        spec: Any = {
            "group": group,
            "name": name,
            "data": data,
            "due": due,
            "ttl": ttl,
            "priority": priority,
            "unique_key": unique_key,
            "lock_key": lock_key,
            "labels": labels,
            "timeout": timeout,
            "expires": expires,
            "eager": eager,
            **options,
        }
        return self.initiate_tasks(spec, within=within)[0]

    def initiate_tasks(self, *specs: TaskSpec, within: object | None = None) -> list[Result[Any]]:
        """Put many tasks in one round trip, all or none, and return their results in order.

        Eager ones are run here, one after another, once the others are put.
        """
        _stop_import_of_main()
        wanted = [initiation(self.handler, spec) for spec in specs]
        put = iter(self.put_new([w.task for w in wanted if not w.eager], within))
        return [
            operate.run_eagerly(self, w.task) if w.eager else next(put) for w in wanted
        ]

    def put_new(
        self, tasks: Sequence[NewTask], within: object | None = None
    ) -> list[Result[Any]]:
        """Put tasks that are whole already: checked, shown to the plugins, then put at once."""
        _stop_import_of_main()
        if not tasks:
            return []
        hooks = self.hooks
        if hooks.on_enqueue:
            tasks = hooks.enqueue(tasks)
        for task in tasks:
            check_task(task, self.max_data_bytes)
        answers = self.backend.put(tasks, within)
        if hooks.on_enqueued:
            for task, answer in zip(tasks, answers, strict=True):
                hooks.enqueued(task, answer)
        return [Result(self, answer.id) for answer in answers]

    async def aput_new(
        self, tasks: Sequence[NewTask], within: object | None = None
    ) -> list[Result[Any]]:
        """Do what ``put_new`` does, without blocking the event loop."""
        return await asyncio.to_thread(self.put_new, tasks, within)

    async def ainitiate_task(self, *args: Any, **options: Any) -> Result[Any]:
        """Do what ``initiate_task`` does, without blocking the event loop."""
        return await asyncio.to_thread(self.initiate_task, *args, **options)

    def get_result(self, task_id: str) -> Result[Any]:
        """Return the result of a task by its id; the store is not asked before it is used."""
        return Result(self, task_id)

    # ---- work

    def start(
        self,
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
            num_processes: Worker processes.
            num_worker_threads_per_group: Slots for each group in each process.
            schedule_entries: Entries for each scheduler.
            tzinfo: The zone of schedules that name none.
            polling_interval: Seconds after which an idle worker looks although nothing woke it.
            helper_services: Which processes reclaim, purge and run the schedulers.
            should_restart: Asked about each process every second; true restarts it gracefully.
            start_method: ``forkserver`` forks workers from a template process, ``spawn`` starts
                each afresh; ``auto`` is the first where it is safe.
            options: Other fields of ``WorkerSettings``: ``grace``, ``max_tasks``, ``drain`` ….
        """
        _stop_import_of_main()
        from taskkit.worker.supervisor import supervise

        supervise(
            self,
            check_processes(num_processes),
            self.worker_settings(
                num_worker_threads_per_group, schedule_entries, tzinfo, polling_interval, **options
            ),
            should_restart=should_restart,
            start_method=start_method,
            helper_services=helper_services,
        )

    def start_processes(
        self,
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
        """Start worker processes and return at once; arguments as for ``start``.

        Args:
            daemon: End the processes when this program ends; otherwise it waits for them.
        """
        _stop_import_of_main()
        from taskkit.worker.supervisor import start_processes

        return start_processes(
            self,
            check_processes(num_processes),
            self.worker_settings(
                num_worker_threads_per_group, schedule_entries, tzinfo, polling_interval, **options
            ),
            daemon=daemon,
            start_method=start_method,
            helper_services=helper_services,
        )

    @contextmanager
    def running(
        self,
        threads: GroupSlots,
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | None = None,
        **options: Any,
    ) -> Iterator[WorkerRuntime]:
        """Run a worker in this process while the block lasts: for tests and small programs.

        At the end of the block it stops claiming, lets running tasks finish within ``grace``
        seconds, gives back the rest and retires.
        """
        _stop_import_of_main()
        from taskkit.worker.runtime import WorkerRuntime

        settings = self.worker_settings(threads, schedule_entries, tzinfo, None, **options)
        runtime = WorkerRuntime(self.backend, self.handler, self.hooks, settings)
        runtime.start()
        try:
            yield runtime
        finally:
            runtime.stop()
            runtime.join()

    def worker_settings(
        self,
        slots: GroupSlots,
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | None = None,
        polling_interval: float | None = None,
        **options: Any,
    ) -> WorkerSettings:
        """Return what one worker process is told; the arguments are those of ``start``.

        Raises:
            InvalidSetting: an option is unknown or outside its limits.
        """
        if polling_interval is not None:
            options["poll"] = polling_interval
        options.setdefault("grace", DEFAULT_GRACE)
        if schedule_entries:
            from taskkit.schedule.entry import to_entries

            options["schedules"] = to_entries(schedule_entries, self.handler.encode_data)
        known = WorkerSettings.__slots__
        for option in options:
            if option not in known:
                raise InvalidSetting(
                    f"expected an option of a worker ({', '.join(known)}), found {option!r}"
                )
        return WorkerSettings(
            **{
                "groups": {group: Slots.of(count) for group, count in slots.items()},
                "lease": self._lease,
                "heartbeat": self._heartbeat,
                "tzinfo": tzinfo,
                "max_data_bytes": self.max_data_bytes,
                **options,
            }
        )

    # ---- operate

    def cancel(self, task: TaskRef) -> Answered:
        """Cancel a task: at once and for ever while unclaimed, through its worker while running."""
        return operate.one(self.backend.cancel, task)

    def requeue(self, task: TaskRef, due: Moment | None = None) -> Answered:
        """Put a failed, lost or cancelled task back in the queue, its history kept."""
        when = operate.when(due)
        return operate.one(lambda ids: self.backend.requeue(ids, when), task)

    def reschedule(self, task: TaskRef, due: Moment) -> Answered:
        """Change the due of an unclaimed task."""
        when = operate.when(due)
        return operate.one(lambda ids: self.backend.reschedule(ids, when), task)

    def delete(self, task: TaskRef) -> Answered:
        """Remove a task in any state, without trace."""
        return operate.one(self.backend.delete, task)

    def purge(
        self,
        states: Iterable[State | str] | State | str | None = None,
        older_than: timedelta | float | None = None,
    ) -> int:
        """Remove finished tasks, in small batches, and return how many.

        Without arguments those that have outlived their ttl; else those in ``states`` that
        finished at least ``older_than`` ago.
        """
        return operate.purge(self.backend, states, older_than)

    def find(
        self,
        group: str | None = None,
        state: Iterable[State | str] | State | str | None = None,
        name: str | None = None,
        labels: Mapping[str, Label] | None = None,
        *,
        subgroups: bool = False,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Return a page of tasks that match all that is given; ``after`` is ``page.next``."""
        query = operate.query(group, state, name, labels, subgroups=subgroups)
        return self.backend.find(query, limit, after)

    def stats(self, groups: Iterable[str] | None = None) -> Stats:
        """Return counts by group and state, the workers, and what is paused and limited."""
        return operate.stats(self.backend, groups)

    def pause(
        self, groups: Iterable[str] | str | None = None, until: Moment | None = None
    ) -> None:
        """Stop claims in groups and their subgroups (None: all), for a time or until resumed.

        Reaches every worker with its next heartbeat, those that start later too.
        """
        self.backend.pause(operate.names(groups), operate.until(until))

    def resume(self, groups: Iterable[str] | str | None = None) -> None:
        """Lift the pauses of these groups (None: all pauses)."""
        self.backend.resume(operate.names(groups))

    def shutdown(self, groups: Iterable[str] | str | None = None) -> None:
        """Have the workers that run now stop serving these groups (None: all, so they end)."""
        self.backend.stop(operate.names(groups))

    send_pause_event = pause
    send_resume_event = resume
    send_shutdown_event = shutdown

    def configure(
        self,
        group: str,
        *,
        max_running: int | None = None,
        rate: tuple[int, float] | None = None,
        max_queue_size: int | None = None,
    ) -> None:
        """Set the limits of a group (not of its subgroups), which hold across all workers.

        Args:
            group: The group.
            max_running: Tasks that run at a time.
            rate: ``(n, period)``: at most n starts in any period of so many seconds.
            max_queue_size: Unclaimed tasks; a put beyond it raises ``QueueFull``.
        """
        self.backend.configure(group, operate.limits(group, max_running, rate, max_queue_size))

    @property
    def schedules(self) -> Schedules:
        """Schedule entries that are added, changed and removed while workers run."""
        from taskkit.schedule.stored import Schedules

        return Schedules(self.backend, self.handler)


def check_processes(count: int) -> int:
    """Return a number of worker processes, or refuse it."""
    try:
        check_int("num_processes", count, 1, MAX_PROCESSES)
    except ValueError as error:
        raise InvalidSetting(str(error)) from error
    return count


def _rebuild(backend: Backend, handler: TaskHandler, options: dict[str, Any]) -> Kit:
    return Kit(backend, handler, **options)


def _stop_import_of_main() -> None:
    from taskkit.worker.launch import stop_import_here

    stop_import_here()
