"""Decorated functions: what they put, what becomes of it, how registries fit together."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta

import pytest

from taskkit.errors import InvalidInput, InvalidSetting, InvalidTask, UnknownTask
from taskkit.registry import TaskOptions, TaskRegistry, exponential
from taskkit.task import After, NewTask, Task


class Collecting:
    """A kit that keeps what it is asked to put."""

    def __init__(self):
        self.calls = []

    def put_new(self, tasks, within=None):
        self.calls.append((list(tasks), within))
        return [("result", task.id) for task in tasks]

    async def aput_new(self, tasks, within=None):
        await asyncio.sleep(0)
        return self.put_new(tasks, within)

    def initiate_tasks(self, *specs, within=None):
        assert all(eager for _, eager in specs)
        return [("eager", task.id) for task, _ in specs]

    @property
    def put(self):
        return [task for tasks, _ in self.calls for task in tasks]


@dataclass
class User:
    name: str
    born: date


@pytest.fixture
def tasks():
    return TaskRegistry()


@pytest.fixture
def kit(tasks):
    kit = Collecting()
    tasks.bind(kit)
    return kit


def stored(new):
    """The task that a worker is given for what was put."""
    due = new.due.delay if isinstance(new.due, After) else new.due
    return Task(new.id, new.group, new.name, new.data, due=due, created=0)


# ---- the function stays a function


def test_calling_it_just_calls_it(tasks):
    @tasks.task
    def double(x: int) -> int:
        """Twice as much."""
        return 2 * x

    @tasks.task
    async def later(x: int) -> int:
        return 2 * x

    assert double(4) == 8
    assert double("a") == "aa"  # a plain call is not checked
    assert asyncio.run(later(4)) == 8
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice as much."
    assert inspect.signature(double) == inspect.signature(double.function)
    assert double.name == f"{__name__}.{double.__qualname__}"


def test_put_then_handled_gives_the_result(tasks, kit):
    @tasks.task(group="mail")
    def send(user: User, subject: str = "hi") -> dict[str, date]:
        return {subject: user.born}

    answer = send.delay(User("a", date(2000, 1, 1)), subject="yo")
    (new,) = kit.put
    assert answer == ("result", new.id)
    assert (new.group, new.name) == ("mail", send.name)
    result = tasks.handle(stored(new))
    assert result == {"yo": date(2000, 1, 1)}
    assert tasks.decode_result(stored(new), tasks.encode_result(stored(new), result)) == result


def test_async_functions_return_their_coroutine(tasks, kit):
    @tasks.task
    async def later(x: int) -> int:
        return 2 * x

    @tasks.task
    def now(x: int) -> int:
        return x

    async def puts():
        return await later.adelay(4), await later.adelay_many([(1,), {"x": 2}])

    asyncio.run(puts())
    now.delay(1)
    assert [asyncio.run(tasks.handle(stored(new))) for new in kit.put[:3]] == [8, 2, 4]
    assert [tasks.is_async(stored(new)) for new in kit.put] == [True, True, True, False]


def test_a_function_that_yields_is_refused(tasks):
    def generator():
        yield 1

    async def agenerator():
        yield 1

    for function in (generator, agenerator):
        with pytest.raises(InvalidTask, match="yields"):
            tasks.task(function)


@pytest.mark.parametrize("thing", [5, User, "text", object()])
def test_only_functions_become_tasks(tasks, thing):
    with pytest.raises(InvalidTask, match="expected a function"):
        tasks.task(thing)


# ---- options


def test_declared_options_are_what_is_put(tasks, kit):
    @tasks.task(
        group="mail",
        name="send",
        timeout=timedelta(seconds=90),
        priority=7,
        ttl=60,
        expires=5,
        on_lost="keep",
        max_lost=1,
        max_history=0,
        labels={"team": "post"},
        unique_scope="unfinished",
        isolation="process",
    )
    def send() -> None: ...

    send.delay()
    (new,) = kit.put
    assert new == NewTask(
        id=new.id,
        group="mail",
        name="send",
        data=b"{}",
        timeout=90.0,
        priority=7,
        ttl=60,
        expires=After(5_000_000),
        on_lost="keep",
        max_lost=1,
        max_history=0,
        labels={"team": "post"},
        unique_scope="unfinished",
    )
    assert tasks.is_isolated(stored(new))


def test_options_at_the_call_replace_the_declared_ones(tasks, kit):
    @tasks.task(group="mail", timeout=5, labels={"a": 1, "b": 2}, unique=True, lock=True)
    def send() -> None: ...

    due = datetime(2030, 1, 1, tzinfo=UTC)
    within = object()
    prepared = send.options(
        due=due,
        priority=-3,
        labels={"b": 3},
        ttl=1,
        timeout=9,
        expires=timedelta(hours=1),
        unique_key="u",
        lock_key="l",
        group="mail.acme",
        within=within,
    )
    prepared.options(priority=4).delay()
    prepared.delay()
    (first,), where = kit.calls[0]
    assert where is within
    assert first.id.startswith("mail.acme_")
    assert first == NewTask(
        id=first.id,
        group="mail.acme",
        name=send.name,
        data=b"{}",
        due=int(due.timestamp()) * 1_000_000,
        priority=4,
        labels={"a": 1, "b": 3},
        ttl=1,
        timeout=9,
        expires=After(3_600_000_000),
        unique_key="u",
        lock_key="l",
    )
    assert kit.put[1].priority == -3


def test_eager_runs_through_the_kit(tasks, kit):
    @tasks.task
    def now() -> None: ...

    ((kind, _),) = (now.options(eager=True).delay(),)
    assert kind == "eager"
    assert asyncio.run(now.options(eager=True).adelay())[0] == "eager"
    assert kit.put == []


@pytest.mark.parametrize(
    "options",
    [
        {"group": ""},
        {"group": "a..b"},
        {"name": ""},
        {"name": "x" * 201},
        {"aliases": ("a\n",)},
        {"aliases": "old"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": "30"},
        {"ttl": -1},
        {"ttl": True},
        {"expires": float("inf")},
        {"priority": 101},
        {"priority": 1.5},
        {"isolation": "fork"},
        {"unique_scope": "always"},
        {"on_lost": "panic"},
        {"max_lost": 0},
        {"max_history": -1},
        {"labels": {"a": None}},
        {"limit": 0},
        {"lock": True, "limit": 0},
        {"unique": "nobody"},
        {"unique": ("x", "nobody")},
        {"lock": 5},
        {"lock": ()},
        {"unique": ["x"]},
    ],
    ids=repr,
)
def test_impossible_options_are_refused_at_the_decorator(tasks, options):
    with pytest.raises(InvalidInput):

        @tasks.task(**options)
        def function(x: int) -> None: ...

    assert list(tasks) == []


def test_the_decorator_takes_exactly_the_fields_of_the_options(tasks):
    from typing import get_overloads

    by_options = inspect.signature(get_overloads(TaskRegistry.task)[2])
    named = [p for p in by_options.parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert {p.name for p in named} == {field.name for field in fields(TaskOptions)}
    declared = TaskOptions(name="x")
    for parameter in named[1:]:
        assert parameter.default == getattr(declared, parameter.name)
    with pytest.raises(TypeError, match="colour"):
        tasks.task(colour="red")(print)


@pytest.mark.parametrize(
    ("option", "instead"),
    [({"rate": (1, 60)}, r"kit\.configure\(group, rate="), ({"batch": None}, r"delay_many\(\)")],
)
def test_what_is_no_option_of_a_task_is_found_elsewhere(tasks, option, instead):
    with pytest.raises(InvalidTask, match=f"found {next(iter(option))!r}: .*{instead}"):
        tasks.task(**option)(print)


# ---- keys


def keys(kit):
    return [(new.unique_key, new.lock_key, new.lock_limit) for new in kit.put]


def test_unique_by_all_arguments_sees_defaults_and_names(tasks, kit):
    @tasks.task(unique=True)
    def send(to: str, size: float = 1, tags: set[str] | None = None) -> None: ...

    @tasks.task(unique=True)
    def other(to: str, size: float = 1, tags: set[str] | None = None) -> None: ...

    send.delay("a")
    send.delay(to="a", size=1.0)
    send.delay("a", 1, None)
    send.delay("b")
    send.delay("a", tags=set("xyz"))
    send.delay("a", tags=set("zyx"))
    other.delay("a")
    a, b, c, d, e, f, g = (key for key, _, _ in keys(kit))
    assert a == b == c
    assert e == f
    assert len({a, d, e, g}) == 4
    assert a == send.name + '{"size":1,"tags":null,"to":"a"}'


def test_keys_by_selected_arguments(tasks, kit):
    @tasks.task(name="s", unique=("to", "rest"), lock="to", limit=3)
    def send(to: str, subject: str, *rest: int) -> None: ...

    send.delay("a", "x", 1)
    send.delay("a", "y", 1)
    send.delay("a", "y", 2)
    assert keys(kit) == [
        ('s{"rest":[1],"to":"a"}', 's{"to":"a"}', 3),
        ('s{"rest":[1],"to":"a"}', 's{"to":"a"}', 3),
        ('s{"rest":[2],"to":"a"}', 's{"to":"a"}', 3),
    ]


def test_keys_by_a_function_of_the_arguments(tasks, kit):
    @tasks.task(
        unique=lambda user, n=0: f"u{user.born.year}" if n else None,
        lock=lambda user, n=0: user.name,
    )
    def send(user: User, n: int = 0) -> None: ...

    send.delay(User("a", date(2000, 1, 1)), 1)
    send.delay(User("b", date(2000, 1, 1)))
    assert keys(kit) == [("u2000", "a", 1), (None, "b", 1)]


def test_a_limit_without_a_lock_is_one_of_the_function(tasks, kit):
    @tasks.task(name="scan", limit=2)
    def scan(x: int) -> None: ...

    scan.delay(1)
    scan.delay(2)
    assert keys(kit) == [(None, "scan", 2)] * 2


@pytest.mark.parametrize("text", ["x" * 1000, "line\nbreak", "\0", "ß" * 300])
def test_long_and_unprintable_keys_become_digests(tasks, kit, text):
    @tasks.task(name="n" * 200, unique=True, lock="x")
    def function(x: str) -> None: ...

    function.delay(text)
    function.delay(text)
    function.delay(text + "!")
    first, again, other = (key for key, _, _ in keys(kit))
    assert first == again != other
    assert first.isprintable()
    assert len(first) <= 255


def test_a_set_without_order_makes_no_key(tasks, kit):
    @tasks.task(unique=True)
    def function(x: set[int | str]) -> None: ...

    with pytest.raises(InvalidTask, match="no key"):
        function.delay({1, "a"})
    assert kit.put == []


# ---- many


def test_delay_many_is_one_round_trip(tasks, kit):
    @tasks.task(lock="to")
    def send(to: str, subject: str = "hi") -> str:
        return to + subject

    answers = send.delay_many([("a",), ("b", "yo"), {"to": "c"}])
    ((put, _),) = kit.calls
    assert answers == [("result", new.id) for new in put]
    assert [tasks.handle(stored(new)) for new in put] == ["ahi", "byo", "chi"]


def test_one_bad_call_among_many_puts_nothing(tasks, kit):
    @tasks.task
    def send(to: str) -> None: ...

    for bad in ((5,), (), {"x": 1}, "text", 5, None):
        with pytest.raises(InvalidTask):
            send.delay_many([("a",), bad])
    for calls in (5, None, send):
        with pytest.raises(InvalidTask, match="calls: expected the arguments of each"):
            send.delay_many(calls)
        with pytest.raises(InvalidTask, match="calls: expected the arguments of each"):
            asyncio.run(send.adelay_many(calls))
    assert kit.calls == []


# ---- by name


def test_data_by_name_is_checked_against_the_function(tasks):
    @tasks.task(name="send")
    def send(to: str, subject: str = "hi") -> None: ...

    expected = send.codec.encode(("a",), {})
    for data in ({"to": "a"}, ("a",), ["a"]):
        assert tasks.encode_data("g", "send", data) == expected
    for data in ({"to": 1}, {"whom": "a"}, (), None, "a", 5):
        with pytest.raises(InvalidTask, match="to|tuple"):
            tasks.encode_data("g", "send", data)


def test_no_data_is_no_arguments(tasks):
    @tasks.task(name="tick")
    def tick() -> None: ...

    assert tasks.encode_data("g", "tick", None) == b"{}"


def test_an_unknown_name_is_answered_with_what_might_be_meant(tasks):
    @tasks.task(name="mail.send")
    def send() -> None: ...

    new = NewTask(id="g_" + "0" * 32, group="g", name="mail.sned", data=b"{}")
    for use in (
        lambda: tasks.handle(stored(new)),
        lambda: tasks.encode_data("g", "mail.sned", None),
        lambda: tasks.encode_result(stored(new), 1),
        lambda: tasks["mail.sned"],
    ):
        with pytest.raises(UnknownTask, match=r"'mail.sned'; similar: mail.send; .*imported"):
            use()
    assert tasks.decode_result(stored(new), b'{"a": [1]}') == {"a": [1]}
    assert not tasks.is_async(stored(new))
    assert not tasks.is_isolated(stored(new))
    assert tasks.complete(new) is new


def test_a_task_put_by_name_gets_what_its_function_declares(tasks):
    @tasks.task(
        name="send", group="mail", timeout=5, lock="to", limit=2, priority=3, labels={"a": 1}
    )
    def send(to: str) -> None: ...

    new = NewTask(
        id="other_" + "0" * 32,
        group="other",
        name="send",
        data=b'{"to":"x"}',
        priority=9,
        labels={"b": 2},
    )
    assert tasks.complete(new) == NewTask(
        id=new.id,
        group="other",
        name="send",
        data=new.data,
        priority=9,
        labels={"a": 1, "b": 2},
        timeout=5,
        lock_key='send{"to":"x"}',
        lock_limit=2,
    )


def test_an_old_name_still_works(tasks):
    @tasks.task(name="new", aliases=("old", "older"))
    def function() -> int:
        return 5

    new = NewTask(id="g_" + "0" * 32, group="g", name="older", data=b"{}")
    assert tasks.handle(stored(new)) == 5
    assert tasks["old"] is function
    assert "old" in tasks
    assert list(tasks) == ["new"]
    assert tasks.complete(new).name == "older"


# ---- registries


def test_names_are_taken_once(tasks):
    @tasks.task(name="a", aliases=("b",))
    def first() -> None: ...

    for options in ({"name": "a"}, {"name": "b"}, {"name": "c", "aliases": ("b",)}):
        with pytest.raises(InvalidTask, match=r"not taken.*first"):
            tasks.task(**options)(lambda: None)
    assert list(tasks) == ["a"]


def test_a_task_is_not_made_a_task_again(tasks):
    @tasks.task
    def function() -> None: ...

    with pytest.raises(InvalidTask, match="include"):
        TaskRegistry().task(function)


def test_an_unbound_registry_says_what_to_do(tasks):
    @tasks.task
    def function() -> None: ...

    with pytest.raises(InvalidSetting, match=r"not part of a Kit yet.*Kit\(backend, tasks\)"):
        function.delay()


@pytest.mark.parametrize("bound_first", [True, False])
def test_included_registries_share_functions_and_kit(bound_first):
    app, mail, deep = TaskRegistry(), TaskRegistry(), TaskRegistry()

    @deep.task(name="deep")
    def below() -> int:
        return 1

    kit = Collecting()
    if bound_first:
        app.bind(kit)
    mail.include(deep)
    app.include(mail)
    if not bound_first:
        app.bind(kit)

    @deep.task(name="later")
    def registered_later() -> int:
        return 2

    below.delay()
    registered_later.delay()
    assert [app.handle(stored(new)) for new in kit.put] == [1, 2]
    assert set(app) == set(mail) == set(deep) == {"deep", "later"}


def test_one_registry_included_on_two_ways_is_one():
    app, left, right, common = (TaskRegistry() for _ in range(4))
    for registry in (left, right):
        registry.include(common)
        app.include(registry)

    @common.task(name="f")
    def function() -> None: ...

    assert app["f"] is left["f"] is right["f"] is function


def test_including_what_does_not_fit_changes_nothing():
    app, mail = TaskRegistry(), TaskRegistry()
    app.task(name="a")(lambda: None)
    mail.task(name="b")(lambda: None)
    mail.task(name="a")(lambda: None)
    with pytest.raises(InvalidTask, match="not taken"):
        app.include(mail)
    assert list(app) == ["a"]

    other = TaskRegistry()
    other.include(app)
    for inner, outer in ((app, app), (other, app)):
        with pytest.raises(InvalidTask, match="include itself"):
            outer.include(inner)


def test_a_name_taken_above_is_refused_below():
    app, mail = TaskRegistry(), TaskRegistry()
    app.task(name="a")(lambda: None)
    app.include(mail)
    with pytest.raises(InvalidTask, match="not taken"):
        mail.task(name="a")(lambda: None)
    assert list(mail) == []


def test_an_empty_registry_is_true():
    assert TaskRegistry()


def test_retry_rules_stand_in_the_declaration(tasks):
    @tasks.task(retry=exponential(1))
    def function() -> None: ...

    assert function.declared.retry == exponential(1)
    assert tasks.functions[function.name].group == "default"


def test_they_show_what_they_are(tasks):
    @tasks.task(name="send", group="mail")
    def function() -> None: ...

    assert repr(function) == "<task 'send' of group 'mail'>"
    assert repr(tasks) == "<TaskRegistry of 1 tasks>"
