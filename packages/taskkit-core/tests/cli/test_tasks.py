from __future__ import annotations

import json

from taskkit import State
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import Failure


def fail_one(kit, task_id):
    """Let a worker claim the task and fail it."""
    backend = kit.backend
    backend.register(WorkerInfo("w", {"mail": 1}), 60_000_000)
    (claim,) = backend.claim("w", {"mail": 1}).claims
    assert claim.task.id == task_id
    failure = Failure("ValueError", "no such person", "Traceback …\n")
    assert backend.settle("w", [Settlement(task_id, claim.token, Outcome.FAIL, failure=failure)])


def test_list_pages_through_all_tasks(kit, run, run_json):
    ids = [kit.initiate_task("mail", "send", n).id for n in range(5)]
    first = run_json("tasks", "list", "--limit", "3")
    rest = run_json("tasks", "list", "--limit", "3", "--after", first["next"])
    assert [task["id"] for task in first["tasks"] + rest["tasks"]] == ids
    assert rest["next"] is None
    code, out, err = run("tasks", "list", "--limit", "3")
    assert code == 0
    assert out.count("send") == 3
    assert f"--after {first['next']}" in err


def test_list_filters(kit, run_json):
    kit.initiate_task("mail", "send", labels={"tenant": 5, "zip": "01234"})
    kit.initiate_task("mail.acme", "send", due=3600)
    kit.initiate_task("crawl", "fetch", labels={"tenant": "5"})

    def listed(*filters):
        return sorted(task["group"] for task in run_json("tasks", "list", *filters)["tasks"])

    assert listed("--group", "mail") == ["mail"]
    assert listed("--group", "mail", "--subgroups") == ["mail", "mail.acme"]
    assert listed("--state", "waiting") == ["mail.acme"]
    assert listed("--name", "fetch") == ["crawl"]
    assert listed("--label", "tenant=5") == ["mail"]
    assert listed("--label", 'tenant="5"') == ["crawl"]
    assert listed("--label", "zip=01234") == ["mail"]
    assert listed("--state", "waiting", "--state", "queued", "--name", "send") == [
        "mail",
        "mail.acme",
    ]


def test_show_has_payload_failure_and_history(kit, run, run_json):
    task_id = kit.initiate_task("mail", "send", {"to": "a@b.c"}).id
    fail_one(kit, task_id)
    shown = run_json("tasks", "show", task_id)
    assert shown["data"] == {"to": "a@b.c"}
    assert shown["state"] == "failed"
    assert shown["failure"]["message"] == "no such person"
    assert [attempt["outcome"] for attempt in shown["history"]] == ["fail"]
    code, out, _ = run("tasks", "show", task_id)
    assert code == 0
    assert "ValueError: no such person" in out
    assert "a@b.c" in out


def test_show_unknown(kit, run):
    code, out, err = run("tasks", "show", "mail_0")
    assert (code, out) == (1, "")
    assert err.startswith("taskkit: no task 'mail_0' in the store")
    assert err.count("\n") == 1


def test_retry_by_id_and_by_filter(kit, run, run_json):
    task_id = kit.initiate_task("mail", "send").id
    fail_one(kit, task_id)
    assert run_json("tasks", "retry", task_id) == {task_id: "done"}
    assert kit.get_result(task_id).status is State.QUEUED
    code, out, _ = run("tasks", "retry", task_id)
    assert code == 1
    assert "1 refused" in out
    assert run_json("tasks", "retry", "--state", "failed") == {}


def test_cancel_and_delete_by_filter(kit, run, run_json):
    ids = {kit.initiate_task("mail", "send", n).id for n in range(3)}
    other = kit.initiate_task("crawl", "fetch").id
    assert run_json("tasks", "cancel", "--group", "mail") == dict.fromkeys(ids, "done")
    code, out, _ = run("tasks", "delete", "--state", "cancelled")
    assert (code, out) == (0, "3 done\n")
    assert [task["id"] for task in run_json("tasks", "list")["tasks"]] == [other]


def test_bulk_operations_want_ids_or_a_filter(kit, run):
    task_id = kit.initiate_task("mail", "send").id
    for arguments in ([], [task_id, "--group", "mail"]):
        code, _, err = run("tasks", "delete", *arguments)
        assert code == 2
        assert "expected ids or a filter" in err
    assert kit.get_result(task_id).status is State.QUEUED


def test_payload_that_is_not_json(kit, run_json):
    from taskkit import Task

    (result,) = kit.initiate_tasks(Task.init("mail", "send", b"\xff\x00"))
    assert run_json("tasks", "show", result.id)["data"] == {"hex": "ff00"}
    assert json.dumps(run_json("tasks", "list"))
