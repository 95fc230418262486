"""How PostgreSQL is to plan these statements, on connections that run nothing else."""

from __future__ import annotations

from typing import Final

# Statements that everybody repeats are planned once, for whatever parameters: planning costs more
# than running most of them. The plans must not depend on statistics that were gathered before a
# million tasks came in, or before they left: the right one is always the one along an index. (A
# bitmap would also never learn which entries are dead.) Compiling never pays for so little work.
PLANNING: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
"""Settings of a session, by name."""
