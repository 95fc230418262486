"""The proxy between a client and its store: each kind of trouble, on real sockets."""

from __future__ import annotations

import socket
import threading

import pytest

from taskkit.clock import monotonic, sleep
from taskkit_conformance.proxy import CUT, HOLD, Flow, Proxy
from taskkit_conformance.servers.urls import Address, address_of, at_address, with_database


@pytest.fixture
def echo():
    """A server that answers each message with itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def answer(connection):
        with connection:
            try:
                while chunk := connection.recv(65536):
                    received.append(chunk)
                    connection.sendall(chunk)
            except OSError:
                pass

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    address = Address(*listener.getsockname())
    yield address, received
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo):
    with Proxy(echo[0]) as made:
        yield made


@pytest.fixture
def connect(proxy):
    opened = []

    def open_one():
        connection = socket.create_connection(proxy.address, 5)
        connection.settimeout(5)
        opened.append(connection)
        return connection

    yield open_one
    for connection in opened:
        connection.close()


def said(connection, message):
    connection.sendall(message)
    answer = b""
    while len(answer) < len(message):
        chunk = connection.recv(65536)
        assert chunk
        answer += chunk
    return answer


def is_reset(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_passes_everything_on_in_order(connect, proxy):
    one, other = connect(), connect()
    big = bytes(range(256)) * 4000
    assert said(one, big) == big
    assert said(other, b"hello") == b"hello"
    assert proxy.accepted == 2


def test_the_end_of_one_side_ends_the_other(connect, echo):
    connection = connect()
    connection.sendall(b"last words")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(100):
        pass
    deadline = monotonic() + 5
    while not echo[1]:  # both sides were told at once
        assert monotonic() < deadline
        sleep(0.001)
    assert echo[1] == [b"last words"]


def test_cut_resets_open_connections_and_accepts_new_ones(connect, proxy):
    connection = connect()
    assert said(connection, b"a") == b"a"
    assert proxy.cut() == 1
    assert is_reset(connection)
    assert said(connect(), b"b") == b"b"


def test_bytes_that_cut_on_their_way_to_the_store_never_arrive(connect, proxy, echo):
    connection = connect()
    proxy.set(to_store=CUT)
    connection.sendall(b"lost request")
    assert is_reset(connection)
    assert echo[1] == []


def test_a_reply_that_cuts_leaves_the_client_without_answer(connect, proxy, echo):
    connection = connect()
    proxy.set(to_client=CUT)
    connection.sendall(b"done, but unknown")
    assert is_reset(connection)
    assert echo[1] == [b"done, but unknown"]
    proxy.heal()
    assert said(connect(), b"again") == b"again"


@pytest.mark.parametrize("direction", ["to_store", "to_client"])
def test_held_bytes_arrive_when_the_link_heals(connect, proxy, echo, direction):
    connection = connect()
    proxy.set(**{direction: HOLD})
    connection.sendall(b"patience")
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    assert (echo[1] == []) == (direction == "to_store")
    proxy.heal()
    connection.settimeout(5)
    assert connection.recv(100) == b"patience"


def test_a_held_connection_can_be_cut(connect, proxy):
    connection = connect()
    proxy.set(to_client=HOLD)
    connection.sendall(b"x")
    proxy.cut()
    assert is_reset(connection)


def test_delay_is_for_its_direction(connect, proxy):
    connection = connect()
    proxy.set(to_client=Flow(delay=0.1))
    began = monotonic()
    assert said(connection, b"slow") == b"slow"
    assert monotonic() - began >= 0.1


def test_refuse_and_accept_on_the_same_port(connect, proxy):
    connection = connect()
    assert said(connection, b"a") == b"a"
    proxy.refuse()
    assert is_reset(connection)
    with pytest.raises(ConnectionRefusedError):
        connect()
    proxy.accept()
    proxy.accept()
    assert said(connect(), b"b") == b"b"


def test_a_target_that_is_down_looks_so_to_the_client(echo):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = Address(*unused.getsockname())
        with Proxy(target) as proxy:
            try:
                with socket.create_connection(proxy.address, 5) as connection:
                    assert is_reset(connection)
            except ConnectionResetError:
                pass  # so early that connecting saw it


def test_closing_twice_leaves_no_thread(echo):
    proxy = Proxy(echo[0])
    proxy.close()
    proxy.close()
    assert "taskkit-proxy" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    "url,address",
    [
        ("postgresql+psycopg://me:pw@db.example/app", ("db.example", 5432)),
        ("mysql://127.0.0.1:33/x", ("127.0.0.1", 33)),
        ("redis://[::1]/3", ("::1", 6379)),
        ("mystore://localhost:99", ("localhost", 99)),
        ("mystore://localhost", None),
        ("sqlite:////tmp/x.db", None),
        ("redis+cluster://a:1,b:2", None),
        ("redis+sentinel://a:1/name/0", None),
        ("memory://name", None),
        (None, None),
    ],
)
def test_which_urls_name_a_single_server(url, address):
    assert address_of(url) == address


def test_urls_keep_the_rest():
    url = "postgresql+psycopg://me:p%40w@db.example/app?sslmode=disable"
    moved = at_address(url, Address("127.0.0.1", 7))
    assert moved == "postgresql+psycopg://me:p%40w@127.0.0.1:7/app?sslmode=disable"
    assert with_database(moved, "other").endswith("@127.0.0.1:7/other?sslmode=disable")
    assert at_address("redis://h", Address("127.0.0.1", 7)) == "redis://127.0.0.1:7"
