"""Plugins that listen: sync and async, wrapping, and never in the way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest

from taskkit import Kit, TaskRegistry, connect, fixed, hookimpl
from taskkit.errors import InvalidSetting, TaskFailed
from taskkit.hooks import Hooks


@pytest.fixture
def tasks():
    return TaskRegistry()


def run(tasks, *plugins):
    """A kit on the memory backend with these plugins, its workers running."""
    kit = Kit(connect("memory"), tasks, plugins=plugins)
    return kit, kit.running(threads={"default": 2})


class Recorder:
    def __init__(self):
        self.seen = []

    @hookimpl
    def taskkit_enqueued(self, task, put):
        self.seen.append(("enqueued", task.name, put.status))

    @hookimpl
    async def taskkit_success(self, claim):
        await asyncio.sleep(0)
        self.seen.append(("success", claim.task.name))

    @hookimpl
    def taskkit_retry(self, claim, failure):
        self.seen.append(("retry", failure.type.rpartition(".")[2]))

    @hookimpl
    async def taskkit_failure(self, claim, failure):
        self.seen.append(("failure", failure.message))

    @hookimpl
    def taskkit_worker_start(self, info):
        self.seen.append(("start", tuple(info.groups)))

    @hookimpl
    def taskkit_worker_stop(self):
        self.seen.append(("stop",))


def test_hooks_see_the_life_of_tasks_and_workers(tasks):
    @tasks.task(name="good")
    def good():
        return 1

    @tasks.task(name="bad", retry=fixed(0, max_retries=1))
    def bad():
        raise ValueError("no")

    recorder = Recorder()
    kit, running = run(tasks, recorder)
    with running:
        assert good.delay().get(timeout=10) == 1
        with pytest.raises(TaskFailed, match="no"):
            bad.delay().get(timeout=10)
    seen = recorder.seen
    assert seen[0] == ("start", ("default",))
    assert seen[-1] == ("stop",)
    assert ("enqueued", "good", "put") in seen
    assert ("success", "good") in seen
    assert seen.index(("retry", "ValueError")) < seen.index(("failure", "no"))


def test_enqueue_hooks_change_and_refuse_tasks(tasks):
    @tasks.task(name="t")
    def t():
        return None

    class Labels:
        @hookimpl
        async def taskkit_enqueue(self, task):
            if task.priority < 0:
                raise PermissionError("not below zero")
            return replace(task, labels={**task.labels, "by": "plugin"})

    kit, _ = run(tasks, Labels())
    assert t.delay().record.task.labels == {"by": "plugin"}
    with pytest.raises(PermissionError):
        t.options(priority=-1).delay()
    assert kit.stats().count() == 1


def test_handling_is_wrapped_by_sync_and_async_context_managers(tasks):
    steps = []

    @tasks.task(name="sync")
    def sync():
        steps.append("sync")

    @tasks.task(name="coro")
    async def coro():
        steps.append("coro")
        raise ValueError("seen by both")

    class Wrapper:
        @hookimpl
        def taskkit_handling(self, claim):
            @contextmanager
            def around():
                steps.append("in")
                try:
                    yield
                finally:
                    steps.append("out")

            return around()

    class AsyncWrapper:
        @hookimpl
        def taskkit_handling(self, claim):
            @asynccontextmanager
            async def around():
                steps.append("ain")
                try:
                    yield
                finally:
                    steps.append("aout")

            return around()

    kit, running = run(tasks, Wrapper(), AsyncWrapper())
    with running:
        sync.delay().get(timeout=10)
        with pytest.raises(TaskFailed, match="seen by both"):
            coro.delay().get(timeout=10)
    assert steps == ["in", "ain", "sync", "aout", "out", "in", "ain", "coro", "aout", "out"]


def test_a_listener_that_raises_is_logged_and_harms_nobody(tasks, caplog):
    @tasks.task(name="t")
    def t():
        return 5

    class Broken:
        @hookimpl
        def taskkit_success(self, claim):
            raise RuntimeError("broken listener")

    recorder = Recorder()
    kit, running = run(tasks, Broken(), recorder)
    with caplog.at_level(logging.ERROR), running:
        assert t.delay().get(timeout=10) == 5
    assert ("success", "t") in recorder.seen
    assert "broken listener" in caplog.text


def test_a_misspelt_hook_is_refused_by_name():
    class Typo:
        @hookimpl
        def taskkit_sucess(self, claim): ...

    with pytest.raises(InvalidSetting, match="taskkit_sucess"):
        Hooks([Typo()])


def test_nobody_listening_costs_nothing():
    hooks = Hooks()
    assert not any(
        (hooks.on_enqueue, hooks.on_enqueued, hooks.handles, hooks.on_success, hooks.on_failure)
    )
