"""A full store, and everything that is asked of it: whoever walks through a part is found out."""

from __future__ import annotations

from storecase import NOW, row, saved

from taskkit_relational.statements import Search

_COLUMNS = "id, state, grp, name, priority, due, created, retention, data"

_FINISHED = f"""
INSERT INTO tk_task ({_COLUMNS}, done, purge_at, settled, token, attempt, worker_id, labels)
SELECT concat('mail_f', n), 4, 'mail', 'send', 0, n, n, 10, '', n, n + 10, 1, 1, 1,
    concat('w', n % 3), '{{"a":1}}' FROM numbers
"""
_OTHERS = f"""
INSERT INTO tk_task ({_COLUMNS}, expires)
SELECT concat('g', n % 50, '_w', n), 0, concat('g', n % 50), 'send', 0, 10000000 + n, n, 10, '',
    20000000 FROM numbers WHERE n <= 5000;
INSERT INTO tk_task ({_COLUMNS}) SELECT concat('mail_r', n), 1, 'mail', 'send', n % 3, n % 100, n,
    10, '' FROM numbers WHERE n <= 5000;
INSERT INTO tk_task ({_COLUMNS}) SELECT concat('mail.s', n % 100, '_r', n), 1,
    concat('mail.s', n % 100), 'send', 0, n, n, 10, '' FROM numbers WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, lock_key) SELECT concat('mail_p', n), 2, 'mail', 'send', 0, n, n,
    10, '', 'k' FROM numbers WHERE n <= 3000;
INSERT INTO tk_task ({_COLUMNS}, lock_key) SELECT concat('mail_l', n), 1, 'mail', 'send', -9, n, n,
    10, '', 'l' FROM numbers WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, unique_key, unique_slot) SELECT concat('mail_u', n), 1, 'mail',
    'send', -9, n, n, 10, '', concat('u', n), concat('u', n) FROM numbers WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, token, attempt, worker_id) SELECT concat('mail_x', n), 3, 'mail',
    'send', 0, n, n, 10, '', 7, 1, concat('w', n % 3) FROM numbers WHERE n <= 600;
INSERT INTO tk_worker (id, info, registered, expires, mark, stopped)
SELECT concat('w', n - 1), '[]', 1, 9, 0, '[]' FROM numbers WHERE n <= 3
"""


def finish(cursor):
    """Fill a store with what is over."""
    cursor.execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
    cursor.execute("INSERT INTO numbers VALUES " + ",".join(f"({n})" for n in range(1, 20_001)))
    cursor.execute(_FINISHED)


def fill(cursor):
    """Fill it further, with what is not."""
    for statement in _OTHERS.split(";"):
        cursor.execute(statement)


def _running(n):
    return [f"mail_x{k}" for k in range(1, n + 1)]


def _unknown(n):
    return [row(f"mail_n{k}", unique_slot=f"n{k}") for k in range(n)]


ASKED = {
    "known": lambda say, on: say.known(on, ["mail_f1", "nobody"]),
    "holders": lambda say, on: say.holders(on, [("mail", "u1"), ("mail", "u2")]),
    "unclaimed": lambda say, on: say.unclaimed(on, "mail", 10),
    "glance": lambda say, on: say.glance(on, "w1", NOW),
    "promote": lambda say, on: say.promote(on, 20_000_000, 20),
    "promote_group": lambda say, on: say.promote_group(on, "g7", 20_000_000, 20),
    "waiting_of": lambda say, on: say.waiting_of(on, "g7", "g2", "h"),
    "soonest": lambda say, on: say.soonest(on, 30),
    "next_ready": lambda say, on: say.next_ready_group(on, "mail.", "mail/"),
    "ready_groups": lambda say, on: say.ready_groups(on, ("mail", "mail\x01"), ("mail.", "mail/")),
    "first_ready": lambda say, on: say.first_ready(on, "mail"),
    "has_expired": lambda say, on: say.has_expired(on, NOW),
    "ready": lambda say, on: say.ready(on, "mail", NOW, 20),
    "ready_last": lambda say, on: say.ready(on, "mail.s7", NOW * 9, 20),
    "take": lambda say, on: say.take(on, ["mail_r1", "mail_r2"], "w", 9, NOW),
    "free_slots": lambda say, on: say.free_slots(on, ["mail_u1", "mail_u2"]),
    "running_of_group": lambda say, on: say.running_of_group(on, "mail"),
    "running_of_lock": lambda say, on: say.running_of_lock(on, "mail", "k"),
    "park": lambda say, on: say.park(on, "mail", "l", 1, 20),
    "unpark": lambda say, on: say.unpark(on, "mail", "k", 0),
    "succeed": lambda say, on: say.succeed(on, NOW, [(i, 7, i.encode()) for i in _running(50)]),
    "load": lambda say, on: say.load(on, _running(50)),
    "load_running": lambda say, on: say.load_running(on, "w1", 300),
    "load_expired": lambda say, on: say.load_expired(on, 20_000_000, 20),
    "save_one": lambda say, on: say.save(on, [saved("mail_x1")]),
    "save": lambda say, on: say.save(on, [saved(i) for i in _running(20)]),
    "remove": lambda say, on: say.remove(on, ["mail_f1", "mail_u2"]),
    "insert": lambda say, on: say.insert(on, _unknown(10)),
    "next_running": lambda say, on: say.next_running_worker(on, "w0"),
    "running": lambda say, on: say.running(on, "w1"),
    "report": lambda say, on: say.report(on, "w1", dict.fromkeys(_running(3), b"")),
    "workers": lambda say, on: say.workers(on),
    "records": lambda say, on: say.records(on, ["mail_f1", "mail_x1"]),
    "unfinished": lambda say, on: say.unfinished(on, ["mail_f1", "mail_x1"]),
    "next_finished": lambda say, on: say.next_finished(on, "mail", 0),
    "purgeable": lambda say, on: say.purgeable(on, "mail", 4, 20, 10_000, None),
    "find": lambda say, on: say.find(on, Search(NOW, group="mail", after="mail_f5"), 20),
    "find_few": lambda say, on: say.find(on, Search(NOW, numbers=[3]), 20),
    "sign": lambda say, on: say.sign(on),
    "gates": lambda say, on: say.gates(on, ["run:a", "lock:b"], wait=False),
}
