"""One id twice in one put, where the first of them finds its key taken."""

from __future__ import annotations

from dataclasses import replace

from taskkit.ids import new_id
from taskkit.stores import connect_url
from taskkit.task import NewTask


def test_each_answer_is_that_of_its_own_task(tmp_path):
    backend = connect_url(f"sqlite:///{tmp_path}/taskkit.db")
    backend.migrate()
    holder = NewTask(id=new_id("a"), group="a", name="n", data=b"1", unique_key="k")
    backend.put([holder])
    keyed = replace(holder, id=new_id("a"), data=b"2")
    plain = replace(keyed, unique_key=None, data=b"3")
    answers = backend.put([keyed, plain, keyed])
    assert [(one.id, one.status) for one in answers] == [
        (holder.id, "duplicate"),
        (plain.id, "put"),
        (plain.id, "known"),
    ]
    assert backend.get([plain.id])[plain.id].task.data == b"3"
    backend.close()
