from __future__ import annotations

from taskkit.records import WorkerInfo


def test_stats(kit, run, run_json):
    kit.initiate_task("mail", "send")
    kit.initiate_task("mail", "send", due=3600)
    kit.backend.register(WorkerInfo("w", {"mail": 1}), 60_000_000)
    document = run_json("stats")
    counts = {(c["group"], c["state"]): c["count"] for c in document["counts"]}
    assert counts == {("mail", "queued"): 1, ("mail", "waiting"): 1}
    assert document["workers"] == 1
    _, out, _ = run("stats")
    header, row, workers = out.splitlines()
    assert header.split()[:3] == ["GROUP", "WAITING", "QUEUED"]
    assert row.split()[:3] == ["mail", "1", "1"]
    assert workers == "1 worker"


def test_backends_are_listed_without_being_imported(run, run_json):
    names = {backend["name"] for backend in run_json("backends")["backends"]}
    assert "memory" in names
    assert run("backends")[0] == 0


def test_workers(kit, run, run_json):
    kit.backend.register(WorkerInfo("w1", {"mail": 8}, "host", 42, "0.3.0"), 60_000_000)
    (worker,) = run_json("workers", "list")["workers"]
    assert worker["id"] == "w1"
    assert worker["groups"] == {"mail": 8}
    _, out, _ = run("workers", "list")
    assert "mail=8" in out


def test_pause_and_resume(kit, run, run_json):
    assert run("groups", "pause", "mail", "--for", "60")[0] == 0
    assert run("groups", "pause", "crawl")[0] == 0
    kit.configure("mail", max_running=3, rate=(10, 2.5))
    groups = {group["group"]: group for group in run_json("groups", "list")["groups"]}
    assert groups["mail"]["paused_until"]
    assert groups["mail"]["max_running"] == 3
    assert groups["mail"]["rate"] == [10, 2.5]
    assert groups["crawl"]["paused"]
    assert groups["crawl"]["paused_until"] is None
    _, out, _ = run("groups", "list")
    assert "until resumed" in out
    assert "10 in 2.5 s" in out
    assert run("groups", "resume", "--all")[1] == "resumed all groups\n"
    assert not any(group["paused"] for group in run_json("groups", "list")["groups"])


def test_all_groups_are_never_meant_by_saying_nothing(kit, run):
    for command in (["groups", "pause"], ["groups", "resume"], ["shutdown"]):
        for groups in ([], ["mail", "--all"]):
            code, _, err = run(*command, *groups)
            assert code == 2
            assert "expected groups or --all" in err
    assert not kit.backend.control().pauses


def test_shutdown_reaches_workers(kit, run):
    kit.backend.register(WorkerInfo("w1", {"mail": 8}), 60_000_000)
    assert run("shutdown", "mail")[1] == "told 1 worker to stop mail\n"
    assert "mail" in kit.backend.heartbeat("w1", 60_000_000, [], {}).stopped


def test_db_of_a_store_without_tables(kit, run):
    assert run("db", "upgrade")[0] == 0
    code, _, err = run("db", "check")
    assert code == 1
    assert "no tables" in err


def test_schedules(kit, run, run_json):
    from taskkit import CronSchedule

    entry = {"key": "report", "group": "mail", "name": "send", "data": 1}
    kit.schedules.add({**entry, "schedule": CronSchedule("0 6 * * *")})
    (listed,) = run_json("schedules", "list")["schedules"]
    assert (listed["key"], listed["paused"], listed["stored"]) == ("report", False, True)
    assert listed["next"][0] < listed["next"][1]
    assert run("schedules", "pause", "report")[0] == 0
    assert "paused" in run("schedules", "list")[1]
    assert run("schedules", "resume", "report")[0] == 0
    assert run("schedules", "remove", "report")[0] == 0
    assert run("schedules", "list")[1] == "no entries in the scheduler 'stored'\n"
    code, _, err = run("schedules", "pause", "report")
    assert code == 2
    assert "report" in err
