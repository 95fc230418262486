"""A shop that takes orders by HTTP and confirms them by tasks: FastAPI, SQLAlchemy and taskkit.

    pip install fastapi uvicorn "taskkit-sql[postgres]" "taskkit-core[cli]"
    export DATABASE_URL=postgresql+psycopg://user@localhost/shop    # else a SQLite file
    uvicorn fastapi_app:app &                                       # takes orders
    taskkit worker fastapi_app:kit -g mail=4 &                      # confirms them
    curl localhost:8000/orders --json '{"article": "book", "count": 2}'
    curl localhost:8000/orders/1

The order and the task that confirms it are in one transaction. If it fails, for whatever reason,
there is neither; if it commits, there are both, even if this program ends in the same instant. A
worker never sees a task of an order that it cannot see.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from taskkit import Kit, TaskRegistry, exponential

URL = os.environ.get("DATABASE_URL", "sqlite:///shop.db")

# ---- what the shop keeps


class Base(DeclarativeBase):
    """The tables of the shop; those of taskkit are beside them, in the same database."""


class Article(Base):
    """Something to be had, and how many of it."""

    __tablename__ = "article"
    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    stock: Mapped[int]


class Order(Base):
    """Something that somebody wants."""

    __tablename__ = "orders"
    number: Mapped[int] = mapped_column(primary_key=True)
    article: Mapped[str] = mapped_column(String(50))
    count: Mapped[int]
    confirmed: Mapped[bool] = mapped_column(default=False)


engine = create_engine(URL)

# ---- what is done later

tasks = TaskRegistry()
kit = Kit.connect(URL, tasks)


@tasks.task(group="mail", retry=exponential(1, factor=2, max_retries=5))
def confirm(number: int) -> None:
    """Tell the customer that the order was taken. Here a mail would be sent."""
    with Session(engine) as session, session.begin():
        session.get_one(Order, number).confirmed = True


# ---- what is done at once


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Make the tables, and fill the shop the first time."""
    Base.metadata.create_all(engine)
    kit.backend.migrate()
    with Session(engine) as session, session.begin():
        if session.get(Article, "book") is None:
            session.add(Article(name="book", stock=10))
    yield


app = FastAPI(lifespan=lifespan)


class NewOrder(BaseModel):
    """What a customer says."""

    article: str
    count: PositiveInt


@app.post("/orders", status_code=201)
def take_order(wanted: NewOrder) -> dict[str, Any]:
    """Take an order, or nothing at all."""
    with Session(engine) as session, session.begin():
        order = Order(article=wanted.article, count=wanted.count)
        session.add(order)
        session.flush()  # gives the order its number
        result = confirm.options(within=session).delay(order.number)
        article = session.get(Article, wanted.article, with_for_update=True)
        if article is None or article.stock < wanted.count:
            # Leaving the block by an error takes back the order, and the task with it.
            raise HTTPException(409, "we have not so many of it")
        article.stock -= wanted.count
        return {"number": order.number, "task": result.id}


@app.get("/orders/{number}")
def show_order(number: int) -> dict[str, Any]:
    """Show an order."""
    with Session(engine) as session:
        order = session.get(Order, number)
        if order is None:
            raise HTTPException(404, "there is no such order")
        return {"article": order.article, "count": order.count, "confirmed": order.confirmed}
