"""What kind an error of MySQL and MariaDB is: by its number, whatever driver raised it."""

from __future__ import annotations

from typing import Final

from taskkit_relational.dialects.mysql.named import number_of

DEADLOCK: Final = 1213
LOCKED: Final = 1205
CONFLICTS: Final = {
    DEADLOCK,
    LOCKED,  # a lock was not to be had in time
    1062,  # a unique key was taken meanwhile
    1020,  # a row has changed since this transaction's snapshot (MariaDB from 11.6)
    1412,  # a table was changed since
    3101,  # the other servers of a group had another transaction first
    3572,  # a lock was not to be had at once
}

READ_ONLY: Final = {1290, 1792, 1836}
"""The server, this transaction or this mode only reads: it was demoted."""

LOST: Final = {
    0,  # the driver's, where it has closed the connection
    1047,  # this node of a cluster does not serve now
    1053,  # the server shuts down
    1152, 1158, 1159, 1160, 1161, 1184,  # the network
    1317,  # interrupted, as by a shutdown
    1927,  # killed (MariaDB)
    2006, 2013,  # gone
    2014, 2027,  # out of step with the server
    2055,
    3169,  # killed (MySQL)
    4031,  # idle for too long (MySQL)
    *READ_ONLY,
}  # fmt: skip

UNREACHABLE: Final = {2002, 2003, 2005, 2026, 1129, 1130}
FULL: Final = {1021, 1030, 1114, 1041, 1037, 3}
"""No room on the disk, in a table or in memory."""
CROWDED: Final = {1040, 1203, 1226}
SLOW: Final = {1969, 3024}
MISSING: Final = {1146, 1054, 1305}
FORBIDDEN: Final = {1142, 1143, 1227, 1370}
DAMAGED: Final = {1034, 1194, 1195, 1712, 1877}


def words_of(error: BaseException, password: object) -> str:
    """Return an error's own words on one line, without the password."""
    told = error.args[1] if len(error.args) > 1 else error
    text = " ".join(str(told).split()) or "the connection is closed"
    return text.replace(str(password), "***") if password else text


def is_conflict(error: BaseException) -> bool:
    """Return whether another transaction was in the way, so that it is worth beginning anew."""
    return number_of(error) in CONFLICTS


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is of no more use."""
    return number_of(error) in LOST
