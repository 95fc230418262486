"""What MySQL and MariaDB alone do: the order of what is locked. And whether both are there."""

from __future__ import annotations

import pytest
from storecase import KINDS, NOW, ids_of, on_mysql

from taskkit_conformance.servers import mariadb
from taskkit_conformance.servers.obtaining import variable_of
from taskkit_relational.schema import WAITING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


def test_there_is_a_mysql_beside_mariadb():
    if "mysql" not in KINDS:
        pytest.skip(f"{mariadb.HOW_MYSQL}, or set {variable_of('mysql')}")


@on_mysql
def test_what_has_expired_is_locked_in_the_order_of_ids(store, say, cursor):
    store.put("mail_1", expires=NOW)
    store.put("mail_2", expires=NOW - 1, state=WAITING)
    assert ids_of(say.load_expired(cursor, NOW, 9)) == ["mail_1", "mail_2"]
