"""Fairness: whose turn it is among the subgroups of a want, and who belongs to it."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import add, calls, claimed, go_quietly, put, worker

_NAMES = ("mail", "mail.a", "mail.b", "mail.b.x", "mail.c%", "mail.C")


def _group(task_id: str) -> str:
    return task_id.rpartition("_")[0]


def _subgroups(case: Case, low: int = 2) -> list[str]:
    chosen = st.lists(st.sampled_from(_NAMES), min_size=low, max_size=5, unique=True)
    return list(case.draw(chosen))


@proves("FAR-01")
def single_claims_serve_each_subgroup_once(case: Case) -> None:
    """However many tasks each has, and in which order they came."""
    worker(case)
    groups = _subgroups(case)
    sizes = {group: case.draw(st.integers(3, 6)) for group in groups}
    put(case, *[case.task(group) for group in groups for _ in range(sizes[group])])
    for turn in range(3):
        served = [_group(task_id) for _ in groups for task_id in claimed(case, "mail")]
        case.equal(sorted(served), sorted(groups), f"who is served by round {turn + 1} of claims")


@proves("FAR-01")
def one_claim_of_many_serves_all_alike(case: Case) -> None:
    """The rounds of single claims, in one call."""
    worker(case)
    groups = _subgroups(case)
    left = {group: case.draw(st.integers(1, 4)) for group in groups}
    put(case, *[case.task(group) for group in groups for _ in range(left[group])])
    most = case.draw(st.integers(1, sum(left.values())))
    served = [_group(task_id) for task_id in claimed(case, "mail", most)]
    case.equal(len(served), most, f"how many of {sum(left.values())} a claim of {most} gives")
    got = {group: served.count(group) for group in groups}
    for group in groups:
        behind = got[group] < left[group] and max(got.values()) > got[group] + 1
        case.require(not behind, f"no subgroup is two turns behind another: {left}", found=got)


@proves("FAR-01")
def a_newcomer_is_served_in_its_turn(case: Case) -> None:
    """A flood before it does not make it wait for more than one round."""
    worker(case)
    groups = _subgroups(case)
    *flooding, quiet = groups
    put(case, *[case.task(group) for group in flooding for _ in range(6)])
    for _ in range(case.draw(st.integers(0, 4))):
        claimed(case, "mail")
    late = add(case, quiet)
    served = [task_id for _ in groups for task_id in claimed(case, "mail")]
    case.require(late in served, f"{len(groups)} claims serve a newcomer", found=served)


@proves("FAR-02")
def a_want_takes_its_own_and_its_subgroups_only(case: Case) -> None:
    """The dot is what makes a subgroup."""
    worker(case)
    want = case.draw(st.sampled_from(["mail", "a_b", "a%", "é", "x.y"]))
    tail = case.draw(st.sampled_from(["ing", "ing.x", "-x", "_x", " ", "x.a", ":a", "%"]))
    below = case.draw(st.sampled_from([".x", ".ing", ".%", ".a.b", ". "]))
    alike = case.draw(st.sampled_from(["", ".x"]))
    other = want.replace("_", "x").replace("%", "b").upper() + alike
    foreign = [want + tail] + ([other] if other not in (want, want + below) else [])
    strangers = [add(case, group) for group in foreign if group not in (want, want + below)]
    mine = [add(case, want), add(case, want + below)]
    case.equal(sorted(claimed(case, want, 10)), sorted(mine), f"what a want of {want!r} takes")
    case.require(strangers, "the others are left")


@proves("FAR-02")
def a_wanted_subgroup_belongs_to_its_own_want(case: Case) -> None:
    """Even if its own want has no room for it."""
    worker(case)
    vip = case.draw(st.sampled_from(["mail.vip", "mail.a.b"]))
    own = {add(case, vip), add(case, f"{vip}.x")}
    rest = {add(case, "mail"), add(case, "mail.z"), add(case, f"{vip}x")}
    room = case.draw(st.integers(0, 3))
    wants = dict(case.draw(st.permutations([("mail", 10), (vip, room)])))
    given = {claim.task.id for claim in case.backend.claim("w1", wants).claims}
    case.equal(sorted(given & rest), sorted(rest), "what the want of the group above takes")
    case.equal(len(given & own), min(room, 2), f"how many the want of {vip} takes")


@proves("FAR-03", examples=0.1)
def subgroups_that_are_gone_cost_nothing(case: Case) -> None:
    """A claim calls about as many functions as before them."""
    go_quietly(case)
    worker(case)
    many = 300 + case.draw(st.integers(0, 3))

    def cost() -> int:
        add(case, "mail.live")
        claimed(case, "mail")
        add(case, "mail.live")
        return calls(lambda: claimed(case, "mail"))

    before = cost()
    put(case, *[case.task(f"mail.gone{number}") for number in range(many)])
    gone = claimed(case, "mail", many)
    case.equal(len(gone), many, "how many tasks of subgroups are claimed")
    case.backend.delete(gone)
    after = cost()
    sentence = f"a claim beside {many} empty subgroups costs what it cost before ({before} calls)"
    case.require(after <= before + many // 2, sentence, found=f"{after} calls")


@proves("FAR-04")
def nothing_of_an_excluded_group_is_claimed(case: Case) -> None:
    """Nor of its subgroups; what is only named alike is."""
    worker(case)
    groups = ("mail", "mail.a", "mail.a.deep", "mail.ab", "mail.b", "mail.A")
    tasks = {add(case, group): group for group in groups for _ in range(2)}
    shut = case.draw(st.sampled_from(["mail.a", "mail", "mail.a.deep", "mail.ab", "*", "other"]))
    want = case.draw(st.sampled_from(["mail", "mail.a"]))
    allowed = [
        task_id
        for task_id, group in tasks.items()
        if (group == want or group.startswith(want + "."))
        and not (shut in ("*", group) or group.startswith(shut + "."))
    ]
    given: list[str] = []
    for _ in range(12):
        given += claimed(case, want, case.draw(st.integers(1, 4)), excluding=[shut])
    case.equal(sorted(given), sorted(allowed), f"what a want of {want} gives, excluding {shut}")


@proves("FAR-04")
def an_excluded_name_is_no_pattern(case: Case) -> None:
    """Excluding a name excludes no other that resembles it."""
    worker(case)
    mine, other = case.draw(values.alike())
    kept = add(case, f"top.{mine}")
    add(case, f"top.{other}")
    given = claimed(case, "top", 5, excluding=[f"top.{other}"])
    case.equal(given, [kept], f"what is given, excluding top.{other!r}")
