"""A server that speaks TLS only."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from rediscase import claim, new_task, register, succeed

from taskkit.errors import Unavailable
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


@pytest.fixture(scope="module")
def port(certificate):
    key, cert = certificate
    program = redis_program.find()
    if program is None:
        pytest.skip(str(Missing(redis_program.HOW)))
    folder = places.folder("redis")
    plain, secure = places.free_ports(2)
    settings = {
        "bind": places.HOST,
        "tls-port": secure,
        "tls-cert-file": cert,
        "tls-key-file": key,
        "tls-ca-cert-file": cert,
        "tls-auth-clients": "no",
    }
    node = redis_program.make_node(program, folder, plain, settings)
    try:
        node.start()
    except StartFailed:
        shutil.rmtree(folder)
        pytest.skip("this server was built without TLS")
    yield secure
    node.stop()
    shutil.rmtree(folder)


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
