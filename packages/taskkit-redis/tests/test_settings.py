"""URLs and options: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pickle

import pytest

from taskkit import connect
from taskkit.clock import ManualClock
from taskkit.errors import InvalidSetting
from taskkit.stores import backends, connect_url
from taskkit_redis.settings import read_settings
from taskkit_redis.topology import connector


def server(url, **options):
    return read_settings(url, options).server


def test_a_single_server():
    found = server("redis://ann:s%40cret@db.example:7000/3")
    assert (found.kind, found.addresses, found.db) == ("standalone", (("db.example", 7000),), 3)
    assert (found.username, found.password, found.tls) == ("ann", "s@cret", False)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_what_is_not_said_has_a_default(scheme):
    found = server(f"{scheme}://")
    assert (found.addresses, found.db, found.password) == ((("localhost", 6379),), 0, None)


def test_an_address_of_the_newer_kind():
    assert server("redis://[::1]:7000").addresses == (("::1", 7000),)
    assert server("redis://[::1]").addresses == (("::1", 6379),)


def test_sentinels():
    found = server("redis+sentinel://a:1,b/mymaster/2")
    assert (found.kind, found.addresses) == ("sentinel", (("a", 1), ("b", 26379)))
    assert (found.service, found.db) == ("mymaster", 2)


def test_a_cluster_has_partitions():
    settings = read_settings("rediss+cluster://a,b:7001", {"shards": {"mail": 4}})
    assert settings.server.addresses == (("a", 6379), ("b", 7001))
    assert (settings.server.tls, settings.partitions) == (True, 64)


def test_a_socket():
    settings = read_settings("unix:///run/redis.sock?db=2&prefix=x", {})
    assert (settings.server.path, settings.server.db) == ("/run/redis.sock", 2)
    assert settings.prefix == "x"
    assert connector(settings).keywords["path"] == "/run/redis.sock"


def test_parameters_of_the_url_and_options():
    settings = read_settings("redis://h?timeout=2.5&replicas=1", {"prefix": "app:1"})
    assert (settings.timeout, settings.replicas, settings.prefix) == (2.5, 1, "app:1")


def test_what_bounds_a_wait_for_replicas_bounds_nothing_without_them():
    assert read_settings("redis://h?timeout=0.5", {}).replicas_timeout == 1
    assert read_settings("redis://h?replicas=1&replicas_timeout=0.001", {}).replicas == 1


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        (None, {}, "found none"),
        ("http://h", {}, "expected a scheme of redis, .*found 'http'"),
        ("redis://h/one", {}, "expected the number of a database, found 'one'"),
        ("redis://h/1/2", {}, "expected nothing behind the database"),
        ("redis://h:port", {}, "expected a host and a port, found 'h:port'"),
        (5, {}, "url: expected one such as .*, found a value of type int"),
        (b"redis://h", {}, "url: expected one such as .*, found a value of type bytes"),
        ("redis://[::1", {}, "url: expected one such as .*square brackets"),
        ("redis://u:p@h\u2100", {}, "url: expected one such as .*cannot be taken apart"),
        ("redis://a..b", {}, "host: expected .* of 1 to 63 characters each, found 'a..b'"),
        (f"redis://h,{'a' * 64}", {}, "host: expected .* of 1 to 63 characters each"),
        ("redis://a\0b", {}, "host: expected"),
        ("redis://h:99999", {}, "port: expected a whole number from 1 to 65535, found 99999"),
        ("redis://h:0", {}, "port: expected a whole number from 1"),
        (f"redis://h:{'9' * 5000}", {}, "expected a host and a port"),
        (f"redis://h/{'9' * 5000}", {}, "expected the number of a database"),
        ("redis+sentinel://h", {}, "expected the name of the master"),
        ("redis+cluster://h/1", {}, "a cluster has one only"),
        ("unix://", {}, "expected the path of a socket"),
        ("redis://h?prefx=x", {}, "found 'prefx'; did you mean 'prefix'"),
        ("redis://h?timeout=soon", {}, "expected a number as timeout, found 'soon'"),
        ("redis://h", {"passwort": "x"}, "found 'passwort'; did you mean 'password'"),
        ("redis://h", {"prefix": "a*"}, "prefix: expected 1 to 60 letters"),
        ("redis://h", {"prefix": ""}, "prefix: expected 1 to 60 letters"),
        ("redis://h", {"prefix": 5}, "prefix: expected 1 to 60 letters"),
        (
            "redis://h",
            {"shards": ["mail"]},
            "shards: expected numbers by group.*found ..mail",
        ),
        ("redis://h", {"shards": "mail"}, "shards: expected numbers by group"),
        ("redis://h", {"timeout": 0}, "timeout: expected seconds, more than 0"),
        ("redis://h", {"replicas_timeout": 0.0009}, "replicas_timeout: expected .* from 0.001"),
        ("redis://h", {"replicas": 1, "replicas_timeout": 5}, "less than timeout, which is 5"),
        ("redis://h?timeout=0.5", {"replicas": 1}, "replicas_timeout: .* found 1.0"),
        ("redis://h", {"partitions": 0}, "partitions: expected a whole number from 1"),
        ("redis://h", {"shards": {"mail": 2}}, "shards of 'mail': .* from 1 to 1"),
        ("redis+cluster://h", {"shards": {"mail.x": 2}}, "expected a group without a dot"),
    ],
)
def test_what_is_not_understood(url, options, words):
    with pytest.raises(InvalidSetting, match=words):
        read_settings(url, options)


def test_no_message_shows_a_password():
    with pytest.raises(InvalidSetting) as caught:
        read_settings("redis://u:secret@h/x", {})
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidSetting) as caught:
        read_settings("redis://u:secret@h\u2100", {})
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__  # urlsplit's own words show it
    settings = read_settings("redis://u:secret@h", {"sentinel_password": "hidden"})
    backend = connect_url("redis://u:secret@h")
    assert "secret" not in repr(settings) + repr(backend)
    assert "hidden" not in repr(settings)


def test_our_connections_never_repeat_by_themselves():
    options = connector(read_settings("redis://h", {"timeout": 3, "connect_timeout": 1})).keywords
    assert options["retry"].get_retries() == 0
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3, 1)


def test_tls():
    settings = read_settings("rediss://h", {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False})
    options = connector(settings).keywords
    assert (options["ssl_ca_certs"], options["ssl_check_hostname"]) == ("/ca.pem", False)


def test_the_plugin_is_found_by_names_and_schemes():
    plugin = backends()["redis"]
    assert {"redis", "rediss", "valkey", "unix"} <= set(plugin.schemes)
    for url in ("valkey://h", "redis+sentinel://h/m", "redis+cluster://h"):
        connect_url(url).close()
    connect("redis-cluster", url="redis+cluster://h").close()


def test_pickled_are_the_settings():
    backend = connect_url("redis://u:p@h:1/2", prefix="x")
    again = pickle.loads(pickle.dumps(backend))
    assert again._settings == backend._settings


def test_a_clock_that_nobody_shares_is_not_pickled():
    backend = connect("redis", url="redis://h", clock=ManualClock())
    with pytest.raises(InvalidSetting, match="found a ManualClock"):
        pickle.dumps(backend)
