"""Which group is next: fair turns among the subgroups of a want, and when to look again.

Every name of which tasks can be wanted is a node: ``mail.acme`` belongs to the nodes
``mail.acme`` and ``mail``. A node knows only the groups that have something ready or have an
instant to wait for, so groups that are empty, shut or long gone cost a claim nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias

from taskkit.groups import covered, lineage, owner
from taskkit.memory.entry import Entry
from taskkit.memory.group import Group
from taskkit.memory.heap import LazyHeap
from taskkit.memory.news import News

Allowed: TypeAlias = Callable[[str], bool]

_SWEEP_FROM: Final = 1024
"""Fewer groups than this are not worth sweeping."""


class Node:
    """One name that can be wanted."""

    __slots__ = ("alarms", "groups", "name", "news", "rotation")

    def __init__(self, name: str) -> None:
        self.name = name
        self.groups = 0
        """How many groups belong to it."""
        self.rotation: OrderedDict[str, Group] = OrderedDict()
        """Groups that have something to claim; the first is served next."""
        self.alarms: LazyHeap = LazyHeap()
        """Groups by the instant at which they may have more; never later than they do."""
        self.news = 0
        """The count of ``News`` when something last became claimable under it."""


class Order:
    """All groups, and the order in which claims are served from them."""

    __slots__ = ("_nodes", "_sweep_at", "_tasks", "groups", "news")

    def __init__(self, news: News, tasks: Mapping[str, Entry]) -> None:
        self.groups: dict[str, Group] = {}
        self.news = news
        self._tasks = tasks
        self._nodes: dict[str, Node] = {}
        self._sweep_at = _SWEEP_FROM

    def group(self, name: str) -> Group:
        """Return the group of this name, made if need be."""
        group = self.groups.get(name)
        if group is None:
            if len(self.groups) >= self._sweep_at:
                self._sweep()
            nodes = tuple(map(self._node, lineage(name)))
            for node in nodes:
                node.groups += 1
            group = self.groups[name] = Group(name, nodes, self._tasks)
        return group

    def _node(self, name: str) -> Node:
        return self._nodes.get(name) or self._nodes.setdefault(name, Node(name))

    def _sweep(self) -> None:
        for group in [group for group in self.groups.values() if group.idle]:
            del self.groups[group.name]
            for node in group.nodes:
                node.alarms.discard(group.name)
                node.rotation.pop(group.name, None)
                node.groups -= 1
                if not node.groups:
                    del self._nodes[node.name]
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self.groups))

    # ---- when groups come and go

    def refresh(self, group: Group, now: int) -> None:
        """Offer a group to claims if it has something ready, and set its alarm."""
        if not group.rotating and group.ready and group.room(now) != 0:
            group.rotating = True
            for node in group.nodes:
                node.rotation[group.name] = group
        opens = group.opens(now)
        if opens is not None:
            for node in group.nodes:
                alarm = node.alarms.key(group.name)
                if alarm is None or alarm > opens:
                    node.alarms.push(group.name, opens)

    def announce(self, group: Group) -> None:
        """Let ``wait`` know that something may be claimable in a group."""
        count = self.news.add()
        for node in group.nodes:
            node.news = count

    def news_of(self, name: str) -> int:
        """Return the count of news when something last became claimable under a name."""
        node = self._nodes.get(name)
        return 0 if node is None else node.news

    def rewind(self, now: int) -> None:
        """Follow a clock that was set back: what was due may be early, and alarms late."""
        for group in self.groups.values():
            group.rewind(now)
            self.refresh(group, now)

    def promote(self, now: int) -> None:
        """Let every group know what time it is."""
        for group in self.groups.values():
            group.promote(now)
            self.refresh(group, now)

    def _leave(self, group: Group, now: int) -> None:
        group.rotating = False
        for node in group.nodes:
            node.rotation.pop(group.name, None)
        self.refresh(group, now)

    # ---- claims

    def take(self, want: str, most: int, now: int, allowed: Allowed | None) -> list[Entry]:
        """Take up to ``most`` tasks of a want out of the queue, the subgroups in turn."""
        taken: list[Entry] = []
        node = self._nodes.get(want)
        if node is None:
            return taken
        self._ring(node, now)
        rotation = node.rotation
        passed: list[Group] = []
        while rotation and len(taken) < most:
            group = next(iter(rotation.values()))
            if allowed is not None and not allowed(group.name):
                passed.append(rotation.pop(group.name))
                continue
            # Alone it needs no turns; among others one task is a turn.
            turn = most - len(taken) if len(rotation) == 1 else 1
            room = group.room(now)
            taken += group.take(turn if room is None else min(turn, room), now)
            if not group.ready or group.room(now) == 0:
                self._leave(group, now)
            else:
                rotation.move_to_end(group.name)
        # Behind the others, so that the next claim does not pass them all again.
        for group in passed:
            rotation[group.name] = group
        return taken

    def opens(self, want: str, now: int, allowed: Allowed | None) -> int | None:
        """Return when more becomes claimable by itself in the groups of a want."""
        node = self._nodes.get(want)
        if node is None:
            return None
        self._ring(node, now)
        passed: list[tuple[int, Group]] = []
        found: int | None = None
        while found is None and (first := node.alarms.first()) is not None:
            alarm, group = first[0], self.groups[first[1]]
            opens = group.opens(now)
            if opens is None:  # what it was set for has been cancelled
                node.alarms.discard(group.name)
            elif opens != alarm:
                node.alarms.push(group.name, opens)
            elif allowed is None or allowed(group.name):
                found = opens
            else:
                node.alarms.discard(group.name)
                passed.append((opens, group))
        for opens, group in passed:
            node.alarms.push(group.name, opens)
        return found

    def _ring(self, node: Node, now: int) -> None:
        while (first := node.alarms.first()) is not None and first[0] <= now:
            group = self.groups[node.alarms.pop()]
            group.promote(now)
            self.refresh(group, now)


def permission(want: str, wants: Mapping[str, int], excluding: Collection[str]) -> Allowed | None:
    """Return the test whether a concrete group may be served under a want; None: all may."""
    nested = len(wants) > 1 and any(
        want in lineage(other) for other in wants if other != want and "." in other
    )
    if not nested and not excluding:
        return None
    return lambda name: owner(name, wants) == want and not covered(name, excluding)
