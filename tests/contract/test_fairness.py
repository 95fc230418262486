"""Subgroups: whose turn it is, and who belongs to which want."""


def groups_of(ids):
    return [task_id.rpartition("_")[0] for task_id in ids]


def test_single_claims_serve_each_subgroup_once(store):
    """FAR-1."""
    store.worker()
    names = [f"mail.{n}" for n in range(7)]
    for name in names:
        for _ in range(5):
            store.add(name)
    for _ in range(5):
        served = [groups_of(store.claimed())[0] for _ in names]
        assert sorted(served) == names


def test_a_flood_in_one_subgroup_does_not_starve_another(store):
    """FAR-1: one task behind a thousand."""
    store.worker()
    store.backend.put([store.task("mail.loud") for _ in range(1000)])
    store.claim(5)
    quiet = store.add("mail.quiet")
    assert quiet in store.claimed() + store.claimed()


def test_a_batch_is_shared_by_the_subgroups(store):
    """FAR-1."""
    store.worker()
    for name in ("mail.a", "mail.b", "mail.c"):
        for _ in range(10):
            store.add(name)
    served = groups_of(store.claimed(9))
    assert sorted(served) == ["mail.a"] * 3 + ["mail.b"] * 3 + ["mail.c"] * 3


def test_a_batch_goes_on_with_those_that_have_more(store):
    """FAR-1, BLK-06: fewer only if no more was due."""
    store.worker()
    store.add("mail.a")
    for _ in range(10):
        store.add("mail.b")
    assert sorted(groups_of(store.claimed(6))) == ["mail.a"] + ["mail.b"] * 5


def test_a_group_takes_turns_with_its_own_subgroups(store):
    """FAR-1."""
    store.worker()
    for _ in range(3):
        store.add("mail")
        store.add("mail.a")
        store.add("mail.a.b")
    for _ in range(3):
        served = [groups_of(store.claimed())[0] for _ in range(3)]
        assert sorted(served) == ["mail", "mail.a", "mail.a.b"]


def test_inside_a_subgroup_the_order_is_that_of_claims(store):
    """FAR-1, ORD-01."""
    store.worker()
    low = store.add("mail.a")
    high = store.add("mail.a", priority=1)
    store.add("mail.b")
    mine = [i for i in store.claimed(3) if i.startswith("mail.a_")]
    assert mine == [high, low]


def test_a_subgroup_that_becomes_due_later_gets_its_turn(store):
    """FAR-1."""
    store.worker()
    for _ in range(20):
        store.add("mail.a")
    waiting = store.add("mail.b", due=store.at(5))
    assert groups_of(store.claimed(3)) == ["mail.a"] * 3
    store.move_to(5)
    assert waiting in store.claimed() + store.claimed()


def test_a_group_never_takes_from_one_that_begins_like_it(store):
    """FAR-2."""
    store.worker()
    store.add("mailing.x")
    store.add("mailing")
    store.add("xmail.mail")
    mine = store.add("mail.x")
    assert store.claimed(10, "mail") == [mine]


def test_a_group_does_not_serve_the_groups_above_it(store):
    """FAR-2."""
    store.worker()
    store.add("mail")
    store.add("mail.b")
    mine = store.add("mail.a")
    deeper = store.add("mail.a.deep")
    assert sorted(store.claimed(10, "mail.a")) == sorted([mine, deeper])


def test_subgroups_that_are_long_gone_cost_no_turn(store):
    """FAR-3: and give nothing."""
    store.worker()
    for n in range(300):
        store.add(f"mail.gone{n}")
    for claim in store.claim(300):
        store.settle(claim)
    store.backend.delete(store.ids())
    ids = [store.add("mail.live") for _ in range(5)]
    assert [store.claimed()[0] for _ in range(5)] == ids


def test_an_excluded_subgroup_is_never_claimed(store):
    """FAR-4."""
    store.worker()
    store.add("mail.a")
    store.add("mail.a.deep")
    mine = store.add("mail.b")
    similar = store.add("mail.ab")
    got = [store.claimed(excluding={"mail.a"}) for _ in range(4)]
    assert sorted(i for ids in got for i in ids) == sorted([mine, similar])
    assert len(store.claim(10)) == 2


def test_excluding_a_group_excludes_its_subgroups_and_a_star_everything(store):
    """FAR-4."""
    store.worker()
    store.add("mail")
    store.add("mail.a")
    assert store.claim(10, excluding={"mail"}) == []
    assert store.claim(10, excluding={"*"}) == []
    assert store.claim(10, "mail.a", excluding={"mail"}) == []
    assert len(store.claim(10, excluding={"other"})) == 2


def test_a_wanted_subgroup_belongs_to_its_own_want_only(store):
    """FAR-2: even if its own want has no room."""
    store.worker()
    vip = [store.add("mail.vip") for _ in range(3)]
    deep = store.add("mail.vip.x")
    rest = store.add("mail.a")
    answer = store.backend.claim("w", {"mail": 10, "mail.vip": 0})
    assert [c.task.id for c in answer.claims] == [rest]
    answer = store.backend.claim("w", {"mail": 10, "mail.vip": 2})
    got = {c.task.id for c in answer.claims}
    assert len(got) == 2
    assert got <= {*vip, deep}


def test_turns_go_on_fairly_while_some_are_excluded(store):
    """FAR-1, FAR-4."""
    store.worker()
    for name in ("mail.a", "mail.b", "mail.c", "mail.d"):
        for _ in range(10):
            store.add(name)
    served = [groups_of(store.claimed(excluding={"mail.a", "mail.c"}))[0] for _ in range(8)]
    assert sorted(served) == ["mail.b"] * 4 + ["mail.d"] * 4
