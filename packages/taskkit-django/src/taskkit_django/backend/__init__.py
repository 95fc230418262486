"""Tasks on Django's own connections.

The rules and the SQL are in ``taskkit_relational``; here is what connects them to a database of
the project, from the outside in: ``plugin`` is found by ``taskkit.connect``, ``opening`` joins a
backend. ``transactions`` does the rules' work on a connection: on the calling thread's, in
whatever transaction that is in (``callers``), or on one of a few that only workers use (``pool``).
``vendor`` says what is particular to a kind of database: ``sqlite``, ``postgres``, ``mysql``.
"""
