"""What a caller of ``within=`` may have, and how its transaction is written in."""

from __future__ import annotations

import asyncio
import gc
import warnings
from contextlib import asynccontextmanager, contextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker


def write(server, within, group):
    with server.joining(within) as cursor:
        server.statements.pause(cursor, group, None)


@contextmanager
def connection(url):
    engine = sa.create_engine(url)
    with engine.connect() as given:
        yield given
    engine.dispose()


@contextmanager
def session(url):
    engine = sa.create_engine(url)
    with Session(engine) as given:
        yield given
    engine.dispose()


@contextmanager
def scoped(url):
    engine = sa.create_engine(url)
    given = scoped_session(sessionmaker(engine))
    yield given
    given.remove()
    engine.dispose()


@asynccontextmanager
async def async_engine(url):
    engine = create_async_engine(url.replace("pymysql", "aiomysql"))
    try:
        yield engine
    finally:
        await engine.dispose()


def run(coroutine):
    """Run it, and let nothing of it be left unclosed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(coroutine)
        gc.collect()
