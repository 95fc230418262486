"""The queue of names, against a dictionary that is sorted each time."""

from hypothesis import given
from hypothesis import strategies as st

from taskkit.memory.heap import LazyHeap
from taskkit.memory.index import IdIndex
from taskkit.memory.ready import Ready
from taskkit.task import Task

names = st.sampled_from("abcdefgh")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), names, st.integers(0, 5)),
        st.tuples(st.just("discard"), names),
        st.tuples(st.just("pop")),
    ),
    max_size=200,
)


@given(steps)
def test_a_heap_behaves_like_a_sorted_dictionary(program):
    heap, model, pushed = LazyHeap(), {}, 0
    for step, *arguments in program:
        if step == "push":
            name, key = arguments
            pushed += 1
            model[name] = (key, pushed)
            heap.push(name, key)
        elif step == "discard":
            model.pop(arguments[0], None)
            heap.discard(arguments[0])
        elif model:
            first = min(model, key=model.__getitem__)
            assert heap.pop() == first
            del model[first]
        assert len(heap) == len(model)
        assert set(heap) == set(model)
        expected = min(((key, name) for name, (key, _) in model.items()), default=None)
        first = heap.first()
        assert (first and first[0]) == (expected and expected[0])
        assert {name: heap.key(name) for name in model} == {n: k for n, (k, _) in model.items()}


def test_what_is_discarded_or_replaced_does_not_pile_up():
    heap = LazyHeap()
    for number in range(10_000):
        heap.push("moved", -number)
        heap.push(f"gone {number}", number)
        heap.discard(f"gone {number}")
    assert len(heap._heap) + len(heap._run) < 200
    assert heap.pop() == "moved"
    assert not heap


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5)), max_size=60), st.randoms())
def test_ready_tasks_come_by_priority_due_and_id(pairs, random):
    tasks = [
        Task(f"g_{number:03d}", "g", "n", b"", due, 0, priority)
        for number, (priority, due) in enumerate(pairs)
    ]
    random.shuffle(tasks)
    ready = Ready()
    for task in tasks:
        ready.push(task)
    gone = tasks[::3]
    for task in gone:
        ready.discard(task)
    left = sorted(
        (task for task in tasks if task not in gone), key=lambda t: (-t.priority, t.due, t.id)
    )
    assert set(ready) == {task.id for task in left}
    assert ready.oldest() == min((task.due for task in left), default=None)
    assert [ready.pop() for _ in range(len(ready))] == [task.id for task in left]
    assert ready.oldest() is None


def test_the_index_forgets_ids_that_are_gone():
    index, known = IdIndex(), {}
    for number in range(1000):
        name = f"{number % 7}_{number:04d}"
        index.add(name)
        known[name] = None
    assert list(index.after(None, known, len(known))) == sorted(known)
    for name in list(known)[:900]:
        del known[name]
    assert list(index.after(None, known, len(known))) == sorted(known)
    assert len(index._sorted) == 100
    again = min(known)
    index.add(again)
    assert list(index.after(None, known, len(known))) == sorted(known)
