"""Which certificates a registry's connections have, from certs.d and from the caller."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from oci_merge import RegistryOptions, TransportError, UsageError
from oci_merge.http import tls
from oci_merge.http.tls import ClientCertificate, Trust, find_trust

HOST = "reg.test:5000"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("client.test")


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which /etc is."""
    folders = tmp_path / "etc/containers/certs.d", tmp_path / "etc/docker/certs.d"
    monkeypatch.setattr(tls, "_SYSTEM_FOLDERS", folders)
    return tmp_path / "etc"


def folder(base: Path, registry: str = HOST) -> Path:
    """Make a registry's folder in /etc/docker, /etc/containers or ~/.config/containers."""
    made = base / "certs.d" / registry
    made.mkdir(parents=True)
    return made


def write_pair(leaf: trustme.LeafCert, certificate: Path, key: Path) -> None:
    certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())


def test_nothing_is_configured_where_there_is_no_folder(home: Path) -> None:
    assert find_trust(HOST, RegistryOptions()) == Trust()
    assert find_trust(HOST, RegistryOptions(), {}) == Trust()


def test_the_first_folder_of_the_registry_counts(home: Path, system: Path) -> None:
    for base in (system / "docker", system / "containers", home / ".config/containers"):
        made = folder(base)
        (made / "ca.crt").touch()
        assert find_trust(HOST, RegistryOptions()).authorities == (made / "ca.crt",)


def test_an_empty_folder_of_the_user_hides_the_system_s(home: Path, system: Path) -> None:
    (folder(system / "docker") / "ca.crt").touch()
    folder(home / ".config/containers")
    assert find_trust(HOST, RegistryOptions()) == Trust()


@pytest.mark.parametrize("registry", ["reg.test", "reg.test:5001", "other.test:5000", "docker.io"])
def test_a_folder_is_for_its_registry_and_port_alone(system: Path, registry: str) -> None:
    (folder(system / "docker") / "ca.crt").touch()
    assert find_trust(registry, RegistryOptions()) == Trust()


def test_a_folder_may_have_several_authorities_and_a_pair(
    system: Path, leaf: trustme.LeafCert
) -> None:
    made = folder(system / "docker")
    for name in ("b.crt", "a.crt", "README", "ca.pem"):
        (made / name).touch()
    write_pair(leaf, made / "client.cert", made / "client.key")
    trust = find_trust(HOST, RegistryOptions())
    assert trust.authorities == (made / "a.crt", made / "b.crt")
    assert trust.client == ClientCertificate(made / "client.cert", made / "client.key")


@pytest.mark.parametrize(
    ("name", "missing"), [("client.cert", "client key"), ("client.key", "client certificate")]
)
def test_half_a_pair_is_an_error(system: Path, name: str, missing: str) -> None:
    made = folder(system / "docker")
    (made / name).touch()
    with pytest.raises(TransportError, match=f"{name} has no {missing} beside it") as caught:
        find_trust(HOST, RegistryOptions())
    assert "NAME.crt" in caught.value.hint


def test_the_caller_s_authority_is_added_and_its_certificate_replaces(
    system: Path, leaf: trustme.LeafCert, authority: trustme.CA, tmp_path: Path
) -> None:
    made = folder(system / "docker")
    authority.cert_pem.write_to_path(made / "ca.crt")
    write_pair(leaf, made / "client.cert", made / "client.key")
    own, both = tmp_path / "ca.pem", tmp_path / "both.pem"
    authority.cert_pem.write_to_path(own)
    leaf.private_key_and_cert_chain_pem.write_to_path(both)
    trust = find_trust(HOST, RegistryOptions(ca_file=str(own), client_cert=str(both)))
    assert trust.authorities == (made / "ca.crt", own)
    assert trust.client == ClientCertificate(both)
    trust.check()


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\x30\x82\x01\x00"])
def test_a_file_that_is_no_authority_is_an_error_that_names_it(
    system: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
        (folder(system / "docker") / "ca.crt").write_bytes(content)
        with pytest.raises(TransportError, match=r"ca\.crt cannot be used as authorities"):
            find_trust(HOST, RegistryOptions()).check()
    with pytest.raises(UsageError, match=r"ca\.pem cannot be used as authorities") as caught:
        find_trust("else.test", RegistryOptions(ca_file=str(path))).check()
    assert "PEM" in caught.value.hint


def test_a_key_of_another_certificate_is_an_error(
    authority: trustme.CA, leaf: trustme.LeafCert, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "a.pem", tmp_path / "b.pem"
    write_pair(leaf, certificate, tmp_path / "own.pem")
    write_pair(authority.issue_cert("other.test"), tmp_path / "other.pem", key)
    given = RegistryOptions(client_cert=str(certificate), client_key=str(key))
    with pytest.raises(UsageError, match=r"a\.pem with .*b\.pem cannot be used as a client"):
        find_trust(HOST, given).check()


def test_a_key_with_a_passphrase_is_an_error_rather_than_a_question(
    leaf: trustme.LeafCert, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "a.pem", tmp_path / "key.pem"
    write_pair(leaf, certificate, key)
    private = load_pem_private_key(key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    given = RegistryOptions(client_cert=str(certificate), client_key=str(key))
    with pytest.raises(UsageError, match="the key has a passphrase"):
        find_trust(HOST, given).check()


def test_authorities_come_on_top_of_the_system_s(
    system: Path, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    trustme.CA().cert_pem.write_to_path(roots)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    authority.cert_pem.write_to_path(folder(system / "docker") / "ca.crt")
    assert len(find_trust(HOST, RegistryOptions()).context().get_ca_certs()) == 2
    assert len(tls.public_context().get_ca_certs()) == 1


def test_only_an_insecure_context_verifies_nothing() -> None:
    assert Trust().context(insecure=True).verify_mode == ssl.CERT_NONE
    secure = Trust().context()
    assert secure.check_hostname
    assert secure.verify_mode == ssl.CERT_REQUIRED
