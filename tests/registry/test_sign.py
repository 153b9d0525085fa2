"""Signatures in a real distribution; openssl and skopeo are the witnesses."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import oci_merge
from fixtures.distribution import Distribution, TokenRegistry
from fixtures.images import digest_of
from fixtures.seed import Seeder
from oci_merge import AccessDeniedError, MergeResult, generate_key_pair
from tests.registry.team import THREE, THREE_PLATFORMS, push_team, seeder

_PASSWORD = "a password of this test"
_PAYLOAD_TYPE = b"application/vnd.in-toto+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_CI = ("ci", "registry-password")


class Site(NamedTuple):
    """A registry with images to join and sign, and its user."""

    registry: Distribution
    team: str
    login: tuple[str, str] | None

    @property
    def repository(self) -> str:
        return f"{self.team.partition('/')[2]}/img"

    @property
    def target(self) -> str:
        return f"{self.team}/img:1.0"

    def options(self) -> dict[str, Any]:
        if self.login is None:
            return {}
        return {"username": self.login[0], "password": self.login[1]}

    def merge(self, **options: Any) -> MergeResult:
        return oci_merge.merge(
            self.target,
            template=f"{self.team}/img-ARCHVARIANT:1.0",
            platforms=THREE_PLATFORMS,
            **self.options(),
            **options,
        )

    def reader(self) -> Seeder:
        return seeder(self.registry, self.login)


class Keys(NamedTuple):
    """A key in files, encrypted as cosign does it."""

    private: Path
    public: Path


@pytest.fixture(params=["plain", "tls", "tokens"])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A registry for everybody; with a password over TLS; and with tokens."""
    login: tuple[str, str] | None = None
    if request.param == "tokens":
        tokens: TokenRegistry = request.getfixturevalue("token_registry")
        registry, login = tokens.distribution, _CI
    else:
        registry = request.getfixturevalue(f"{request.param}_registry")
        login = registry.credentials
    if registry.ca_pem:
        monkeypatch.setenv("SSL_CERT_FILE", str(registry.ca_pem))
    return Site(registry, push_team(registry, auth=login), login)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """The key to sign with; its password is in the environment."""
    monkeypatch.setenv("COSIGN_PASSWORD", _PASSWORD)
    return _keys(tmp_path, "cosign")


def _keys(folder: Path, name: str) -> Keys:
    made = Keys(folder / f"{name}.key", folder / f"{name}.pub")
    for path, content in zip(made, generate_key_pair(_PASSWORD.encode()), strict=True):
        path.write_bytes(content)
    return made


def _openssl_verifies(public: Path, signature: bytes, content: bytes, folder: Path) -> bool:
    (folder / "signature").write_bytes(signature)
    (folder / "content").write_bytes(content)
    done = subprocess.run(
        [
            *("openssl", "dgst", "-sha256", "-verify", public),
            *("-signature", folder / "signature", folder / "content"),
        ],
        capture_output=True,
        timeout=60,
    )
    return done.returncode == 0 and b"Verified OK" in done.stdout


def _json(read: Seeder, repository: str, reference: str) -> Any:
    found = read.get_manifest(repository, reference)
    assert found.status == 200, reference
    return json.loads(found.body)


def _blob(read: Seeder, repository: str, digest: str) -> bytes:
    content = read.get(f"/v2/{repository}/blobs/{digest}")
    assert digest_of(content) == digest
    return content


def _classic(read: Seeder, repository: str, digest: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield each classic signature of a manifest, with its payload."""
    for layer in _json(read, repository, f"{digest.replace(':', '-')}.sig")["layers"]:
        yield (
            base64.b64decode(layer["annotations"][_SIGNATURE]),
            _blob(read, repository, layer["digest"]),
        )


def _bundles(read: Seeder, repository: str, digest: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield each signature of a statement about a manifest, with the statement."""
    for entry in _json(read, repository, digest.replace(":", "-"))["manifests"]:
        manifest = _json(read, repository, entry["digest"])
        assert entry["artifactType"] == manifest["artifactType"]
        assert entry["annotations"] == manifest["annotations"]
        assert manifest["subject"]["digest"] == digest
        [layer] = manifest["layers"]
        envelope = json.loads(_blob(read, repository, layer["digest"]))["dsseEnvelope"]
        assert envelope["payloadType"].encode() == _PAYLOAD_TYPE
        [signature] = envelope["signatures"]
        yield base64.b64decode(signature["sig"]), base64.b64decode(envelope["payload"])


def _encoded(payload: bytes) -> bytes:
    """Return what a DSSE signature is of, as its specification has it."""
    parts = (b"DSSEv1", b"%d" % len(_PAYLOAD_TYPE), _PAYLOAD_TYPE, b"%d" % len(payload), payload)
    return b" ".join(parts)


def test_openssl_verifies_what_was_signed(site: Site, keys: Keys, tmp_path: Path) -> None:
    result = site.merge(sign_key=str(keys.private))
    assert result.warnings == ()
    stranger = _keys(tmp_path, "stranger").public
    with site.reader() as read:
        for digest in (result.digest, *(image.digest for image in THREE.values())):
            [(signature, payload)] = _classic(read, site.repository, digest)
            assert json.loads(payload) == {
                "critical": {
                    "identity": {"docker-reference": f"{site.team}/img"},
                    "image": {"docker-manifest-digest": digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
            [(of_statement, statement)] = _bundles(read, site.repository, digest)
            assert json.loads(statement)["subject"][0]["digest"] == {"sha256": digest[7:]}
            for made, content in ((signature, payload), (of_statement, _encoded(statement))):
                assert _openssl_verifies(keys.public, made, content, tmp_path)
                assert not _openssl_verifies(stranger, made, content, tmp_path)
                changed = content[:-1] + bytes([content[-1] ^ 1])
                assert not _openssl_verifies(keys.public, made, changed, tmp_path)


def test_the_tags_that_others_look_for_are_there_and_no_more(site: Site, keys: Keys) -> None:
    result = site.merge(sign_key=str(keys.private))
    digests = [result.digest, *(image.digest for image in THREE.values())]
    names = [digest.replace(":", "-") for digest in digests]
    with site.reader() as read:
        listed = json.loads(read.get(f"/v2/{site.repository}/tags/list"))["tags"]
    assert sorted(listed) == sorted(["1.0", *names, *(f"{name}.sig" for name in names)])


def test_an_unchanged_rerun_reads_alone(site: Site, keys: Keys) -> None:
    first = site.merge(sign_key=str(keys.private))
    with site.registry.watch() as records:
        again = site.merge(sign_key=str(keys.private))
        signed = oci_merge.sign(site.target, key=str(keys.private), **site.options())
    assert {record.method for record in records} <= {"GET", "HEAD"}
    assert not again.changed
    assert not signed.changed
    assert {each.outcome for each in (*again.signatures, *signed.signatures)} == {"present"}
    assert {each.reference for each in signed.signatures} == {
        each.reference for each in first.signatures
    }


def test_signatures_stand_before_the_tag(site: Site, keys: Keys) -> None:
    with site.registry.watch() as records:
        result = site.merge(sign_key=str(keys.private))
    put = [
        record.path.rpartition("/")[2]
        for record in records
        if record.method == "PUT" and "/manifests/" in record.path
    ]
    assert put[-1] == "1.0"
    name = result.digest.replace(":", "-")
    assert put.index(result.digest) < min(put.index(name), put.index(f"{name}.sig"))
    for image in THREE.values():
        assert put.index(image.digest) < put.index(result.digest)


def test_a_second_key_signs_beside_the_first(site: Site, keys: Keys, tmp_path: Path) -> None:
    other = _keys(tmp_path, "other")
    digest = site.merge(sign_key=str(keys.private)).digest
    oci_merge.sign(site.target, key=str(other.private), **site.options())
    with site.reader() as read:
        for found, public in zip(
            _classic(read, site.repository, digest), (keys.public, other.public), strict=True
        ):
            assert _openssl_verifies(public, *found, tmp_path)
        for (signature, statement), public in zip(
            _bundles(read, site.repository, digest), (keys.public, other.public), strict=True
        ):
            assert _openssl_verifies(public, signature, _encoded(statement), tmp_path)


def test_skopeo_reads_what_stands_under_the_tag(site: Site, keys: Keys, skopeo: Path) -> None:
    digest = site.merge(sign_key=str(keys.private)).digest
    tag = f"{digest.replace(':', '-')}.sig"
    login = [] if site.login is None else ["--creds", ":".join(site.login)]
    command: list[str | Path] = [skopeo, "inspect", "--tls-verify=false", *login]
    run = subprocess.run(
        [*command, f"docker://{site.team}/img:{tag}"], check=True, capture_output=True, timeout=60
    )
    inspected = json.loads(run.stdout)
    with site.reader() as read:
        manifest = _json(read, site.repository, tag)
    assert inspected["Layers"] == [layer["digest"] for layer in manifest["layers"]]
    listed = subprocess.run(
        [*command, "--raw", f"docker://{site.team}/img@{digest}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert digest_of(listed.stdout) == digest


def test_a_provenance_stands_in_the_list(site: Site, keys: Keys, tmp_path: Path) -> None:
    digest = site.merge(sign_key=str(keys.private), provenance=True).digest
    with site.reader() as read:
        found = list(_bundles(read, site.repository, digest))
    assert [json.loads(statement)["predicateType"] for _, statement in found] == [
        "https://sigstore.dev/cosign/sign/v1",
        "https://slsa.dev/provenance/v1",
    ]
    for signature, statement in found:
        assert _openssl_verifies(keys.public, signature, _encoded(statement), tmp_path)
    made_of = json.loads(found[1][1])["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [each["digest"]["sha256"] for each in made_of] == [
        image.digest[7:] for image in THREE.values()
    ]


def test_signatures_of_the_images_come_along(site: Site, keys: Keys, tmp_path: Path) -> None:
    own = _keys(tmp_path, "builder")
    for suffix in THREE:
        oci_merge.sign(f"{site.team}/img-{suffix}:1.0", key=str(own.private), **site.options())
    site.merge(carry_signatures=True, sign_key=str(keys.private))
    with site.reader() as read:
        for image in THREE.values():
            classic = list(_classic(read, site.repository, image.digest))
            bundles = list(_bundles(read, site.repository, image.digest))
            for public, made, bundle in zip(
                (own.public, keys.public), classic, bundles, strict=True
            ):
                assert _openssl_verifies(public, *made, tmp_path)
                assert _openssl_verifies(public, bundle[0], _encoded(bundle[1]), tmp_path)
    with site.registry.watch() as records:
        site.merge(carry_signatures=True, sign_key=str(keys.private))
    assert {record.method for record in records} <= {"GET", "HEAD"}


def test_a_token_that_may_only_read_is_the_reason_and_the_tag_stays(
    token_registry: TokenRegistry, keys: Keys
) -> None:
    registry, tokens = token_registry.distribution, token_registry.tokens
    team = push_team(registry, auth=_CI)
    site = Site(registry, team, _CI)
    digest = site.merge().digest
    account = tokens.accounts["ci"]
    tokens.accounts["ci"] = type(account)(*_CI, {"*": frozenset({"pull"})})
    with pytest.raises(AccessDeniedError, match="does not allow ci"):
        oci_merge.sign(site.target, key=str(keys.private), **site.options())
    with site.reader() as read:
        assert read.get_manifest(site.repository, "1.0").digest == digest
        assert json.loads(read.get(f"/v2/{site.repository}/tags/list"))["tags"] == ["1.0"]
