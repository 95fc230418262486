"""Mutants of fairness among subgroups."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from mutants.mutant import around, mutant
from taskkit.memory import order
from taskkit.memory.order import Order


@mutant(108, "FAR-01", "serves the subgroups by name instead of in turn")
def by_name(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        node = self._nodes.get(want)
        for name in sorted(node.rotation) if node else ():
            node.rotation.move_to_end(name)
        return real(self, want, most, now, allowed)


@mutant(109, "FAR-02", "takes a dash or an underscore for the dot of a subgroup")
def other_dots(patch):
    @around(patch, order, "lineage")
    def lineage(real, group):
        yield from dict.fromkeys([*real(group), *real(re.sub("[-_:]", ".", group))])


@mutant(110, "FAR-03", "asks every group that there ever was")
def asks_every_group(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        for group in self.groups.values():
            group.promote(now)
        return real(self, want, most, now, allowed)


@mutant(111, "FAR-04", "excludes a group, but not its subgroups")
def excludes_one(patch):
    patch.setattr(order, "covered", lambda group, by: group in by or "*" in by)


@mutant(112, "FAR-04", "takes an excluded name for a pattern")
def excludes_by_pattern(patch):
    @around(patch, order, "covered")
    def covered(real, group, by):
        like = [name.replace("_", "?").replace("%", "*") for name in by]
        return real(group, by) or any(fnmatchcase(group, pattern) for pattern in like)


@mutant(175, "FAR-02", "gives the tasks of a wanted subgroup to the want above it, too")
def ignores_owner(patch):
    @around(patch, order, "owner")
    def owner(real, group, wants):
        return max((name for name in order.lineage(group) if name in wants), key=lambda n: -len(n))
