"""The Kit: a backend and a handler, and all that a program does with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taskkit import operate, work
from taskkit.convert import Moment
from taskkit.eager import run_eagerly
from taskkit.errors import InvalidSetting
from taskkit.handler import TaskHandler
from taskkit.hooks import Hooks
from taskkit.limits import DEFAULT_MAX_DATA_BYTES, check_batch, check_id, check_tasks
from taskkit.result import Result
from taskkit.settings import DEFAULT_HEARTBEAT, DEFAULT_LEASE, check_shared
from taskkit.specs import TaskSpec, initiation, with_bytes
from taskkit.stores import connect_url
from taskkit.task import DEFAULT_TTL, Label, NewTask
from taskkit.work import stop_import_here

if TYPE_CHECKING:
    from datetime import tzinfo

    from taskkit.backend import Backend
    from taskkit.clock import Clock
    from taskkit.schedule import ScheduleEntriesCompatMapping
    from taskkit.schedule.stored import Schedules


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
        schedule_entries: What its workers put by themselves, for each scheduler, unless they are
            started with other entries.
        tzinfo: The zone of schedules that name none; without one, UTC.

    Raises:
        InvalidSetting: an argument is of another kind, or outside its limits.
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
        schedule_entries: ScheduleEntriesCompatMapping | None = None,
        tzinfo: tzinfo | None = None,
    ) -> None:
        if not callable(getattr(backend, "put", None)):
            # A URL may hold a password: what was found is not shown.
            raise InvalidSetting(
                "backend: expected what taskkit.connect() returns, found a "
                f"{type(backend).__name__}; for a URL there is Kit.connect(url, handler)"
            )
        if isinstance(plugins, str) or not isinstance(plugins, Iterable):
            raise InvalidSetting(
                f"plugins: expected objects with hooks, such as [MyPlugin()], found {plugins!r}"
            )
        check_shared(lease, heartbeat, max_data_bytes, tzinfo)
        self.backend = backend
        self.handler = _checked(handler)
        self._plugins = tuple(plugins)
        self.hooks = Hooks(self._plugins)
        self.max_data_bytes = max_data_bytes
        self.lease = lease
        self.heartbeat = heartbeat
        self.schedule_entries = schedule_entries
        self.tzinfo = tzinfo
        bind = getattr(handler, "bind", None)
        if bind is not None:
            bind(self)

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "plugins": self._plugins,
            "max_data_bytes": self.max_data_bytes,
            "lease": self.lease,
            "heartbeat": self.heartbeat,
            "schedule_entries": self.schedule_entries,
            "tzinfo": self.tzinfo,
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
        backend = connect_url(url, clock=clock, **(backend_options or {}))
        return cls(backend, _checked(handler), **options)

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

        Raises:
            InvalidInput: they are more than the store takes in one call; nothing was put.
        """
        stop_import_here()
        wanted = [initiation(self.handler, spec) for spec in specs]
        put = iter(self.put_new([w.task for w in wanted if not w.eager], within))
        return [run_eagerly(self, w.task) if w.eager else next(put) for w in wanted]

    def put_new(self, tasks: Sequence[NewTask], within: object | None = None) -> list[Result[Any]]:
        """Put tasks that are whole already: checked, shown to the plugins, then put at once."""
        stop_import_here()
        if not tasks:
            return []
        hooks = self.hooks
        if hooks.on_enqueue:
            tasks = hooks.enqueue(tasks)
        if len(tasks) > 1:
            check_batch(len(tasks), self.backend.capabilities().max_batch)
        tasks = [with_bytes(task) for task in tasks]
        check_tasks(tasks, self.max_data_bytes)
        answers = self.backend.put(tasks, within)
        if hooks.on_enqueued:
            for task, answer in zip(tasks, answers, strict=True):
                hooks.enqueued(task, answer)
        return [Result(self, answer.id) for answer in answers]

    async def aput_new(
        self, tasks: Sequence[NewTask], within: object | None = None
    ) -> list[Result[Any]]:
        """Do what ``put_new`` does, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.put_new, tasks, within)

    async def ainitiate_task(self, *args: Any, **options: Any) -> Result[Any]:
        """Do what ``initiate_task`` does, without blocking the event loop."""
        import asyncio

        return await asyncio.to_thread(self.initiate_task, *args, **options)

    def get_result(self, task_id: str) -> Result[Any]:
        """Return the result of a task by its id; the store is not asked before it is used.

        Raises:
            InvalidTask: no task can be called so.
        """
        check_id(task_id)
        return Result(self, task_id)

    # ---- work

    start = work.start
    start_processes = work.start_processes
    running = work.running
    worker_settings = work.worker_settings

    # ---- operate

    cancel = operate.cancel
    requeue = operate.requeue
    reschedule = operate.reschedule
    delete = operate.delete
    purge = operate.purge
    find = operate.find
    stats = operate.stats
    pause = operate.pause
    resume = operate.resume
    shutdown = operate.shutdown
    configure = operate.configure

    # The names of the original taskkit.
    send_pause_event = operate.pause
    send_resume_event = operate.resume
    send_shutdown_event = operate.shutdown

    @property
    def schedules(self) -> Schedules:
        """Schedule entries that are added, changed and removed while workers run."""
        from taskkit.schedule.stored import Schedules

        return Schedules(self.backend, self.handler, self.tzinfo)


_HANDLER_METHODS = (
    "handle",
    "get_retry_interval",
    "encode_data",
    "encode_result",
    "decode_result",
)


def _checked(handler: TaskHandler | None) -> TaskHandler:
    missing = [name for name in _HANDLER_METHODS if not callable(getattr(handler, name, None))]
    if handler is None or missing:
        raise InvalidSetting(
            f"handler: expected a TaskHandler or a TaskRegistry, found {handler!r}"
            + (f" without {', '.join(missing)}" if handler is not None else "")
        )
    return handler


def _rebuild(backend: Backend, handler: TaskHandler, options: dict[str, Any]) -> Kit:
    return Kit(backend, handler, **options)
