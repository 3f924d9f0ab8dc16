"""An administrator's password goes to nobody but the server that it was given for."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import ssl
import subprocess
import sys
import threading
import unittest

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.local.storage.account import Account
from tests.local.storage.servers import PROJECT, Elsewhere, break_off


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine that nobody trusts."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a storage of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def stranger(certificate):
    """A server with that certificate, and who has sent it a password."""
    told: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"versionstring": "33.0.2"}')

        do_PUT = do_GET

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", told
    server.shutdown()


def test_a_server_that_proves_nothing_gets_no_password(stranger):
    url, told = stranger
    elsewhere = Elsewhere(url, ("admin", "a password of a test"))
    account = Account(elsewhere, "alice", "a password of a test")
    with pytest.raises(httpx.ConnectError, match="certificate"):
        _ = elsewhere.version
    with pytest.raises(httpx.ConnectError, match="certificate"):
        account.put("/f")
    with pytest.raises(ssl.SSLCertVerificationError):
        elsewhere.raw("GET", "/", account)
    with pytest.raises(ssl.SSLCertVerificationError):
        elsewhere.connect()
    assert told == []


ASK = """
import sys
from tests.local.storage.account import Account
from tests.local.storage.servers import Elsewhere
elsewhere = Elsewhere(sys.argv[1], ("admin", "a password of a test"))
print(elsewhere.version)
with elsewhere.connect() as connection:
    connection.sendall(f"GET / HTTP/1.1\\r\\nHost: {elsewhere.host}\\r\\n\\r\\n".encode())
    print(connection.recv(100).split(b" ")[1].decode())
"""


def test_an_operator_names_a_certificate_to_be_trusted(stranger, certificate):
    environment = {"SSL_CERT_FILE": str(certificate), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", ASK, stranger[0]], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["33.0.2", "200"]


def test_a_connection_is_not_broken_off_in_one_direction_over_tls(stranger, certificate, monkeypatch):
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("tests.local.storage.servers.TLS", trusting)
    with Elsewhere(stranger[0], ("", "")).connect() as connection, pytest.raises(unittest.SkipTest):
        break_off(connection)
