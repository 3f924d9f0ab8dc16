"""Where a link may lead: to the Nextclouds on the operator's list, and never into the operator's own network."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub_config.link import addresses as addresses_module
from hub_config.link.addresses import AddressError, Addresses, is_public
from hub_config.link.asking import LinkError
from hub_config.link.nextcloud import KeyState, Nextclouds
from imagine_lib.storage.credentials import Credential
from tests.signin.nextcloud import Nextcloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = "http://127.0.0.1:8002"
PUBLIC = "93.184.216.34"
EVERYTHING = Addresses(HOME, ["*"])


def check(addresses: Addresses, text: str) -> str:
    return asyncio.run(addresses.check(text))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What each name leads to; the last of several answers stays. A number or an address is read by the system."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def lookup(host: str, port: Any, *rest: Any, **more: Any) -> Any:
        if host in known:
            found = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
            return [answer for one in found.split() for answer in real(one, port, *rest, **more)]
        if host.removesuffix(".").split(".")[-1].isalpha() and host != "localhost":
            raise socket.gaierror(f"{host} is not known")
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return known


@pytest.mark.parametrize(
    ("text", "base"),
    [
        (HOME, HOME),
        (f"{HOME}/", HOME),
        (f"  {HOME}/index.php ", HOME),
        ("cloud.example.org", "https://cloud.example.org"),
        ("https://Cloud.Example.ORG:443/nextcloud/", "https://cloud.example.org/nextcloud"),
        ("https://cloud.example.org:8443", "https://cloud.example.org:8443"),
        ("https://b.sub.example.net", "https://b.sub.example.net"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("https://inside.example.org", "https://inside.example.org"),
        ("http://[fd00::7]:8080/", "http://[fd00::7]:8080"),
    ],
)
def test_what_is_on_the_list_can_be_linked(names: dict[str, list[str]], text: str, base: str) -> None:
    names |= {"cloud.example.org": [PUBLIC], "b.sub.example.net": ["2606:2800:220:1::1"]}
    patterns = ["Cloud.example.org", "*.example.net", "10.0.0.7:8080", "inside.example.org:443", "[fd00::7]:8080"]
    assert check(Addresses(HOME, patterns), text) == base


@pytest.mark.parametrize(
    "text",
    [
        "https://elsewhere.example.org",
        "https://example.net",
        "https://cloud.example.org.evil.example",
        "https://evil-cloud.example.org",
        "https://10.0.0.7",
        "http://10.0.0.7:8081",
        "http://127.0.0.1:8003",
        "https://127.0.0.1:8002",
        "http://localhost:8002",
    ],
)
def test_what_is_not_on_the_list_is_refused_and_the_list_is_named(names: dict[str, list[str]], text: str) -> None:
    allowed = Addresses(HOME, ["cloud.example.org", "*.example.net", "10.0.0.7:8080"])
    known = f"{HOME}, cloud.example.org, *.example.net, 10.0.0.7:8080"
    with pytest.raises(AddressError, match="is not one of the storages that may be linked here") as refused:
        check(allowed, text)
    assert str(refused.value).endswith(f": {known}.")


@pytest.mark.parametrize("text", ["http://cloud.example.org", "http://cloud.example.org:443"])
def test_a_name_on_the_list_is_no_leave_to_send_keys_in_the_clear(names: dict[str, list[str]], text: str) -> None:
    names["cloud.example.org"] = [PUBLIC]
    with pytest.raises(AddressError, match=r"is not secure: give its address with https://\.$"):
        check(Addresses(HOME, ["cloud.example.org"]), text)


@pytest.mark.parametrize(
    "text",
    [
        "", "https://", "ftp://cloud.example.org", "file:///etc/passwd", "javascript:alert(1)", "gopher://x.example.org:70",
        "unix:///run/docker.sock", "https://rosa:secret@cloud.example.org", "https://cloud.example.org@evil.example",
        "https://evil.example\\@cloud.example.org", "https://cloud.example.org\\.evil.example",
        "https://cloud.example.org?next=x", "https://cloud.example.org#x", "https://cloud.example.org:0",
        "https://cloud.example.org:99999", "https://cloud.example.org:x", "https://[::1", "https://clöud.example.org",
        "https://cloud.example.org evil", "https://cloud.example.org/%0d%0aX:1", "https://cloud.example.org/a b",
        "https://ⓒloud.example.org", "https://cloud。example.org", "//cloud.example.org", "https:///cloud.example.org",
        "https://127.0.0.1%2fcloud.example.org", "https://[fe80::1%25eth0]",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_to_be_none(names: dict[str, list[str]], text: str) -> None:
    names["cloud.example.org"] = [PUBLIC]
    with pytest.raises(AddressError, match="is no address of a Nextcloud"):
        check(EVERYTHING, text)


INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "localhost", "10.1.2.3", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fd00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2002:7f00:1::]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[::127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
def test_no_spelling_of_an_address_inside_is_reached_even_where_every_host_may_be_linked(host: str) -> None:
    with pytest.raises(AddressError, match=r"lies in a network that may not be reached from here|is not known"):
        check(EVERYTHING, f"https://{host}")
    with pytest.raises(AddressError):
        check(EVERYTHING, f"https://{host}:8443/nextcloud")


@pytest.mark.parametrize(
    "found", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", f"{PUBLIC} 10.0.0.1", f"169.254.169.254 {PUBLIC}"]
)
def test_a_name_that_leads_inside_is_refused(names: dict[str, list[str]], found: str) -> None:
    names["cloud.example.org"] = [found]
    with pytest.raises(
        AddressError, match=r"^cloud\.example\.org lies in a network that may not be reached from here"
    ):
        check(Addresses(HOME, ["cloud.example.org"]), "cloud.example.org")


@pytest.mark.parametrize("host", ["nobody.example.org", "a..b.example.org", "x" * 300 + ".example.org"])
def test_a_name_that_nobody_knows_is_said(names: dict[str, list[str]], host: str) -> None:
    with pytest.raises(AddressError, match=r"is not known: check the address\."):
        check(EVERYTHING, host)


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:2800:220:1::1", "64:ff9b::5db8:d822", "2002:5db8:d822::", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_public_in_every_form(address: str) -> None:
    assert is_public(address)


def test_a_name_that_leads_elsewhere_after_the_check_is_not_followed(names: dict[str, list[str]]) -> None:
    inside = Nextcloud()
    names["cloud.example.org"] = [PUBLIC, "127.0.0.1"]
    allowed = Addresses(HOME, ["cloud.example.org"])
    assert check(allowed, f"https://cloud.example.org:{inside.port}") == f"https://cloud.example.org:{inside.port}"
    with pytest.raises(LinkError, match="lies in a network that may not be reached from here"):
        asyncio.run(Nextclouds(allowed).begin(f"https://cloud.example.org:{inside.port}"))
    credential = Credential(url=f"https://cloud.example.org:{inside.port}", user="rosa", password="secret")
    assert asyncio.run(Nextclouds(allowed).check(credential)) is KeyState.UNKNOWN
    assert asyncio.run(Nextclouds(allowed).revoke(credential)) is False
    assert inside.asked == []
    inside.close()


# ------------------------------------------------------------------------------------------------------- certificates


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> Iterator[Nextcloud]:
    """A Nextcloud with a certificate for cloud.example.org, which lies at an address that passes for public."""
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(_certificate("cloud.example.org"))
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    monkeypatch.setattr(addresses_module, "is_public", lambda _: True)
    names |= {"cloud.example.org": ["127.0.0.1"], "other.example.org": ["127.0.0.1"]}
    nextcloud = Nextcloud(certificate, host="cloud.example.org")
    yield nextcloud
    nextcloud.close()


def _certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    named, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_nextcloud_is_asked_by_its_name_at_the_address_that_was_looked_at(
    secure: Nextcloud, names: dict[str, list[str]]
) -> None:
    nextclouds = Nextclouds(Addresses(HOME, ["*.example.org"]))
    names["cloud.example.org"] = ["127.0.0.2 127.0.0.1"]  # nobody answers at the first
    flow = asyncio.run(nextclouds.begin(secure.url))
    assert flow.login.startswith(f"{secure.url}/login/v2/flow/")
    assert [one.host for one in secure.asked] == [f"cloud.example.org:{secure.port}"]


def test_a_nextcloud_with_anothers_certificate_is_told_no_secret(secure: Nextcloud) -> None:
    credential = Credential(url=f"https://other.example.org:{secure.port}", user="rosa", password="secret")
    nextclouds = Nextclouds(Addresses(HOME, ["*.example.org"]))
    assert asyncio.run(nextclouds.check(credential)) is KeyState.UNKNOWN
    assert secure.asked == []
