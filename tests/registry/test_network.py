"""Certificates of certs.d and of the caller, and forward proxies, on real distributions."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Unpack

import pytest
import trustme

import oci_merge
from fixtures.distribution import Distribution
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.openssl import ROOT, OpensslMaker
from fixtures.seed import Seeder
from fixtures.server import ServerTLS
from oci_merge import ClientKeywords
from tests.installed import installed
from tests.registry.team import THREE, THREE_PLATFORMS, push_team

PASSWORD = "pr0xy-password"
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def client_authority() -> trustme.CA:
    """The authority whose certificates the strict registry lets in."""
    return trustme.CA()


@pytest.fixture(scope="module")
def strict(docker_registry: Path, client_authority: trustme.CA) -> Iterator[Distribution]:
    """A registry that wants to see a client certificate."""
    with Distribution(tls=True, client_ca=client_authority) as registry:
        yield registry


@pytest.fixture(scope="module")
def distant(docker_registry: Path) -> Iterator[Distribution]:
    """A registry over TLS that is reached through a proxy alone, as `reg.test`."""
    with Distribution(tls=True, name="reg.test") as registry:
        yield registry


@pytest.fixture(scope="module")
def distant_plain(docker_registry: Path) -> Iterator[Distribution]:
    """The same over plain HTTP."""
    with Distribution(name="reg.test") as registry:
        yield registry


def merge_team(team: str, **registry: Unpack[ClientKeywords]) -> oci_merge.MergeResult:
    return oci_merge.merge(
        f"{team}/img:1.0",
        template=f"{team}/img-ARCHVARIANT:1.0",
        platforms=THREE_PLATFORMS,
        **registry,
    )


def push_directly(registry: Distribution, team: str) -> str:
    """Push to a registry that only a proxy knows by its name; return ``HOST/TEAM``."""
    scheme = "https" if registry.tls else "http"
    url = f"{scheme}://127.0.0.1:{registry.port}"
    with Seeder(url, verify=registry.ssl_context()) as push:
        for suffix, image in THREE.items():
            push.push_image(f"{team}/img-{suffix}", "1.0", image)
    return f"{registry.host}/{team}"


def write_certs_d(home: Path, registry: Distribution, client: trustme.LeafCert | None) -> None:
    folder = home / ".config/containers/certs.d" / registry.host
    folder.mkdir(parents=True)
    assert registry.ca_pem is not None
    (folder / "ca.crt").write_bytes(registry.ca_pem.read_bytes())
    if client is not None:
        client.cert_chain_pems[0].write_to_path(folder / "client.cert")
        client.private_key_pem.write_to_path(folder / "client.key")


def test_certs_d_opens_a_registry_that_wants_a_client_certificate(
    strict: Distribution, client_authority: trustme.CA, home: Path
) -> None:
    write_certs_d(home, strict, client_authority.issue_cert("ci.test"))
    assert merge_team(push_team(strict)).tags[0].changed


def test_files_that_the_caller_names_open_it_too(
    strict: Distribution, client_authority: trustme.CA, tmp_path: Path
) -> None:
    client = client_authority.issue_cert("ci.test")
    certificate, key = tmp_path / "client.pem", tmp_path / "key.pem"
    client.cert_chain_pems[0].write_to_path(certificate)
    client.private_key_pem.write_to_path(key)
    result = merge_team(
        push_team(strict), ca_file=strict.ca_pem, client_cert=certificate, client_key=key
    )
    assert result.tags[0].changed


def test_without_a_client_certificate_the_error_says_what_is_missing(
    strict: Distribution, home: Path
) -> None:
    write_certs_d(home, strict, None)
    # The connection may break before the registry's reason for it is read.
    with pytest.raises(oci_merge.TransportError, match=r"client's certificate|broke off") as caught:
        merge_team(push_team(strict))
    assert "--client-cert" in caught.value.hint


def test_a_private_authority_of_another_registry_is_not_trusted(
    strict: Distribution, tls_registry: Distribution, home: Path
) -> None:
    write_certs_d(home, strict, None)
    with pytest.raises(oci_merge.TransportError, match="is not trusted"):
        merge_team(push_team(tls_registry))


def _intermediate_alone(trusted: Path) -> ServerTLS:
    make = OpensslMaker(trusted.parent)
    make.root("root", ROOT)
    make.signed("between", "root", ROOT)
    trusted.write_bytes((trusted.parent / "between.pem").read_bytes())
    make.signed("shown", "between", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    return make.shown("shown", "between")


def _made_by_req(trusted: Path) -> ServerTLS:
    make = OpensslMaker(trusted.parent)
    trusted.write_bytes(make.root("root", ROOT).read_bytes())
    make.signed("shown", "root", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    return make.shown("shown")


@pytest.mark.parametrize("certificates", [_made_by_req, _intermediate_alone])
def test_an_authority_that_skopeo_trusts_is_trusted(
    certificates: Callable[[Path], ServerTLS], docker_registry: Path, skopeo: Path, tmp_path: Path
) -> None:
    with Distribution(tls=True, certificates=certificates) as registry:
        assert registry.ca_pem is not None
        with Seeder(registry.url, verify=registry.ssl_context()) as push:
            for suffix, image in THREE.items():
                push.push_image(f"team/img-{suffix}", "1.0", image)
        team = f"{registry.host}/team"
        assert merge_team(team, ca_file=registry.ca_pem).tags[0].changed
        (tmp_path / "ca.crt").write_bytes(registry.ca_pem.read_bytes())
        inspect: list[str | Path] = [
            skopeo,
            "inspect",
            "--raw",
            "--cert-dir",
            tmp_path,
            f"docker://{team}/img:1.0",
        ]
        subprocess.run(inspect, check=True, capture_output=True, timeout=60)


def test_a_tls_registry_is_reached_through_a_proxy(
    distant: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = push_directly(distant, "through-tls")
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", NOBODY)
        assert merge_team(team, ca_file=distant.ca_pem)
    assert set(proxy.asked) == {f"CONNECT {distant.host} HTTP/1.1"}


def test_a_plain_registry_is_reached_through_a_proxy(
    distant_plain: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = push_directly(distant_plain, "through-plain")
    with ForwardProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", NOBODY)
        assert merge_team(team, plain_http=True).tags[0].changed
    assert all(f" http://{distant_plain.host}/v2/" in line for line in proxy.asked)


def test_a_proxy_that_fails_at_first_is_asked_again(
    distant: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = push_directly(distant, "through-later")
    with ForwardProxy(failures=2) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert merge_team(team, ca_file=distant.ca_pem)


def test_a_proxy_s_login_is_given_and_never_shown(
    distant: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = push_directly(distant, "through-login")
    with ForwardProxy(login=f"me:{PASSWORD}") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://me:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert merge_team(team, ca_file=distant.ca_pem).tags[0].changed
        monkeypatch.setenv("ALL_PROXY", f"http://me:{PASSWORD}x@127.0.0.1:{proxy.port}")
        with pytest.raises(oci_merge.TransportError, match="through the proxy") as caught:
            merge_team(team, ca_file=distant.ca_pem)
    assert f"127.0.0.1:{proxy.port}: 407" in caught.value.message
    assert PASSWORD not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__!r}"


@pytest.mark.parametrize("registry", ["docker.io", "ghcr.io", "reg.example"])
def test_a_wrong_password_for_a_proxy_is_sent_once_for_each_host(
    monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    with ForwardProxy(login=f"me:{PASSWORD}") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}x@127.0.0.1:{proxy.port}")
        with pytest.raises(oci_merge.TransportError, match="407"):
            oci_merge.inspect(f"{registry}/team/app:1.0")
        assert len(proxy.asked) == len(set(proxy.asked)), proxy.asked


def test_a_plain_registry_behind_a_proxy_that_wants_a_login_is_not_blamed(
    distant_plain: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ForwardProxy(login=f"me:{PASSWORD}") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(oci_merge.TransportError, match="it wants a login"):
            merge_team(f"{distant_plain.host}/team", plain_http=True)


def test_a_registry_in_a_network_of_no_proxy_is_reached_directly(
    plain_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 0.0.0.0 leads to this machine, and is no loopback address by its looks.
    host = f"0.0.0.0:{plain_registry.port}"
    name = push_team(plain_registry).partition("/")[2]
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,0.0.0.0/8")
        assert merge_team(f"{host}/{name}", plain_http=True).tags[0].changed
    assert proxy.asked == []


def lead_here(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a name lead to this machine."""
    look_up = asyncio.BaseEventLoop.getaddrinfo

    async def resolve(
        loop: asyncio.BaseEventLoop, host: str | None, *rest: Any, **more: Any
    ) -> Any:
        return await look_up(loop, "127.0.0.1" if host == name else host, *rest, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)


def test_plain_http_to_a_tls_registry_is_called_that(tls_registry: Distribution) -> None:
    with pytest.raises(oci_merge.RegistryError, match="wants TLS, and was asked to") as caught:
        merge_team(f"{tls_registry.host}/team", plain_http=True)
    assert caught.value.hint.startswith("leave out --plain-http")


def test_tls_to_a_plain_registry_is_called_that(
    distant_plain: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By another name than a loopback's, which would be tried over plain HTTP first.
    lead_here(monkeypatch, "reg.test")
    with pytest.raises(oci_merge.TransportError) as caught:
        merge_team(f"{distant_plain.host}/team", retries=0)
    assert (
        caught.value.message == f"could not connect to {distant_plain.host}: it does not speak TLS"
    )
    assert "--plain-http" in caught.value.hint


def test_a_certificate_of_another_name_is_told_as_openssl_reads_it(
    tls_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = installed("openssl")
    shown = subprocess.run(
        [openssl, "s_client", "-connect", f"127.0.0.1:{tls_registry.port}", "-servername", "x"],
        input=b"",
        capture_output=True,
    ).stdout
    names = subprocess.run(
        [openssl, "x509", "-noout", "-ext", "subjectAltName"], input=shown, capture_output=True
    ).stdout.decode()
    lead_here(monkeypatch, "other.test")
    host = f"other.test:{tls_registry.port}"
    with pytest.raises(oci_merge.TransportError) as caught:
        merge_team(f"{host}/team", ca_file=tls_registry.ca_pem, retries=0)
    told = caught.value.message.removeprefix(
        f"the certificate of {host} is not trusted: it is for "
    )
    for name in re.split(", | and ", told):
        assert f"DNS:{name}" in names or f"IP Address:{name}" in names
