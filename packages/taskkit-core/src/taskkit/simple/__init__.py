"""The rules of the protocol as plain Python: what a simple backend needs beside its store.

For a store that can replace one document atomically, and for whoever would rather write queries
than rules. Nothing here knows a store, and nothing else in taskkit uses it.

``tables``
    All that a store keeps, as dicts. ``queue``, ``workers``, ``results`` and ``operations`` are the
    protocol on them, a function for each operation.
``document``
    Tables as one text and back; only what has changed is encoded anew. ``text`` does one value.
``transitions``
    What each operation makes of one task's record: pure functions.
``choosing``
    Which tasks a claim gives: a pure function of all that is unclaimed.
``searching``
    ``count`` and ``find`` over records.
``polling``
    ``wait`` and ``wait_done`` for stores that cannot wake anybody.
"""
