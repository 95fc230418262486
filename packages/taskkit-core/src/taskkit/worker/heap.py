"""Memory that nothing uses any more, given back to the system.

Importing a program leaves much of the heap free but in pieces, and glibc keeps it. A process that
then sleeps, or is forked into workers, would hold that for as long as it lives.
"""

from __future__ import annotations


def trim_heap() -> None:
    """Give free memory back to the system; does nothing where the C library cannot.

    Takes milliseconds, so it is for a process that has just done a lot and will do little.
    """
    import ctypes

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc; no C library by that name
        return
    trim(0)
