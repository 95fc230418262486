"""A server that speaks TLS, and a pair behind a sentinel that all speak it to each other."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import redis
from rediscase import claim, new_task, patiently, register, succeed, until

from taskkit.errors import Unavailable
from taskkit.task import State
from taskkit_conformance.servers import Missing, places
from taskkit_conformance.servers import redis as redis_program
from taskkit_conformance.servers.program import StartFailed

openssl = shutil.which("openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", key, "-out", cert, "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return key, cert


def over_tls(certificate, secure):
    key, cert = certificate
    return {
        "bind": places.HOST,
        "tls-port": secure,
        "tls-cert-file": cert,
        "tls-key-file": key,
        "tls-ca-cert-file": cert,
        "tls-auth-clients": "no",
        "tls-replication": "yes",
    }


@pytest.fixture(scope="module")
def make(certificate):
    """Start a server whose TLS port is the second one."""
    program = redis_program.find()
    if program is None:
        pytest.skip(str(Missing(redis_program.HOW)))
    folder = places.folder("redis")
    nodes = []

    def start(plain, secure, settings=(), *options):
        settings = {**over_tls(certificate, secure), **dict(settings)}
        node = redis_program.make_node(program, folder, plain, settings, *options)
        try:
            node.start()
        except StartFailed:
            pytest.skip("this server was built without TLS")
        nodes.append(node)
        return node

    yield start
    for node in nodes:
        node.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def port(make):
    plain, secure = places.free_ports(2)
    make(plain, secure)
    return secure


def test_all_goes_through_tls(opened, port, certificate):
    url = f"rediss://localhost:{port}"
    one, other = (opened(url, ssl_ca_certs=str(certificate[1])) for _ in range(2))
    one.wait(["mail"], 0)
    other.put([task := new_task()])
    assert one.wait(["mail"], 30) is True
    register(one)
    succeed(one, claim(one))
    assert other.wait_done(task.id, 30) is True


def test_a_certificate_that_nobody_knows(opened, port):
    with pytest.raises(Unavailable, match="(?i)certificate"):
        opened(f"rediss://localhost:{port}").put([new_task()])


def test_without_tls_there_is_no_answer(opened, port):
    with pytest.raises(Unavailable):
        opened(f"redis://localhost:{port}").put([new_task()])


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_fail_over_behind_a_sentinel(opened, make, certificate):
    ports = places.free_ports(6)
    _, lead, _, follow, _, watcher = ports
    master = make(*ports[:2])
    make(*ports[2:4], {"replicaof": f"{places.HOST} {lead}"})
    watch = {
        "sentinel monitor": f"taskkit {places.HOST} {lead} 1",
        "sentinel down-after-milliseconds": "taskkit 1000",
        "sentinel failover-timeout": "taskkit 5000",
    }
    make(*ports[4:], watch, "--sentinel")
    url = f"rediss+sentinel://{places.HOST}:{watcher}/taskkit/0"
    authority = {"ssl_ca_certs": str(certificate[1])}
    with pytest.raises(Unavailable):
        opened(url).put([new_task()])
    before, after = new_task(), new_task()
    confirmed = opened(url, replicas=1, **authority)
    patiently(lambda: confirmed.put([before]))  # once the replica is in step
    # The sentinel learns of the replica from the master, and needs it for what follows.
    until(lambda: f":{follow}" in str(known(watcher, certificate)))
    master.kill()
    backend = opened(url, **authority)
    patiently(lambda: backend.put([after]), 60)
    found = backend.get([before.id, after.id])
    assert [record.state for record in found.values()] == [State.QUEUED] * 2


def known(port, certificate):
    """Return the replicas that a sentinel knows."""
    with redis.Redis(places.HOST, port, ssl=True, ssl_ca_certs=str(certificate[1])) as client:
        return client.sentinel_slaves("taskkit")
