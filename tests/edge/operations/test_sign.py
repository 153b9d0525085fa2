"""Signing: what is signed, in which order, what stays, and what a rerun does."""

from __future__ import annotations

import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from starlette.requests import Request

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import (
    BuiltImage,
    Child,
    build_attestation,
    build_image,
    build_index,
    build_referrer,
)
from fixtures.server import RunningServer
from oci_merge import (
    Event,
    ManifestsSigned,
    SigningError,
    SigningKeyError,
    UsageError,
    generate_key_pair,
)
from oci_merge.trust import private_keys
from tests.edge.operations.guarded import Does, of_version, pair
from tests.edge.operations.guarded import merge as guarded_merge
from tests.edge.operations.signing import (
    BOTH,
    OTHER,
    OWN,
    SIGNATURE,
    Spans,
    add_classic,
    all_formats,
    children,
    document,
    formats,
    list_tag,
    outcomes,
    puts,
    sig_tag,
    statements,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    ARMV7,
    REPOSITORY,
    add_old,
    merge,
    paths,
    sources,
    tags,
    target,
    writes,
)
from tests.unit.trust.support import open_cosign_key

_INDEX = "application/vnd.oci.image.index.v1+json"
_FORMATS = {"both": BOTH, "bundle": frozenset({"bundle"}), "classic": frozenset({"classic"})}


@pytest.fixture(params=["api", "tag"])
def kept(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> EmbeddedRegistry:
    """A registry that lists referrers by itself, or leaves that to its clients."""
    registry.settings.referrers = request.param == "api"
    return registry


def _signatures(registry: EmbeddedRegistry, digest: str) -> list[str]:
    """Return where the signatures of a manifest are seen: a tag, or a digest."""
    if not registry.settings.referrers:
        return [sig_tag(digest), list_tag(digest)]
    return [sig_tag(digest), *(each.digest for each in statements(registry, digest, SIGNATURE))]


def _key_of(content: bytes, password: str = "s3cret-pa55") -> ec.EllipticCurvePrivateKey:
    """Return the key in a file of cosign's, opened without the code under test."""
    key = load_der_private_key(open_cosign_key(content, password.encode()), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@pytest.mark.parametrize("name", _FORMATS)
def test_the_index_and_all_that_it_lists_is_signed(
    name: str, server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    result = merge(server.host, sign_key=key, sign_format=name)
    assert result.warnings == ()
    digests = [result.digest, AMD64.digest, ARM64.digest, ARMV7.digest]
    assert all_formats(kept, "latest") == dict.fromkeys(digests, _FORMATS[name])
    order = [kind for kind in ("bundle", "classic") if kind in _FORMATS[name]]
    assert list(outcomes(result).items()) == [
        ((digest, kind), "written") for digest in digests for kind in order
    ]
    for signature in result.signatures:
        held = kept.storage.manifest(
            REPOSITORY, signature.reference.partition("/app")[2].strip(":@")
        )
        assert held is not None, signature.reference


def test_a_docker_list_and_attestations_are_signed(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    images = [build_image("linux", name, docker=True) for name in ("amd64", "arm64")]
    for image in images:
        kept.add_image(f"team/docker-{image.platform['architecture']}", "1.0", image)
    result = oci_merge.merge(
        target(server.host), template=f"{server.host}/team/docker-ARCH:1.0", sign_key=key
    )
    assert result.media_type == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert all_formats(kept, "latest") == dict.fromkeys(
        [result.digest, *(image.digest for image in images)], BOTH
    )

    attested = build_index([AMD64, build_attestation(AMD64)])
    kept.add_image("team/attested", "1.0", attested)
    result = oci_merge.merge(
        target(server.host, "attested"),
        sources=[f"{server.host}/team/attested:1.0", f"{server.host}/team/app-arm64:1.0"],
        sign_key=key,
    )
    signed = all_formats(kept, "attested")
    assert build_attestation(AMD64).digest in signed
    assert len(signed) == 4
    assert set(signed.values()) == {BOTH}


def test_the_index_alone_is_signed_if_that_is_asked_for(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    result = merge(server.host, sign_key=key, sign_index_only=True)
    assert {digest for digest, made in all_formats(kept, "latest").items() if made} == {
        result.digest
    }
    assert list(outcomes(result)) == [(result.digest, "bundle"), (result.digest, "classic")]


def test_images_stand_before_their_signatures_and_these_before_the_tags(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    spans = Spans()
    kept.hooks.append(spans)
    result = merge(server.host, sign_key=key, tags=["1.0"])
    listed = children(kept, "latest")
    seen = [each for digest in (result.digest, *listed) for each in _signatures(kept, digest)]
    assert len(seen) == 8
    assert spans.ends([*listed]) < spans.begins([result.digest])
    assert spans.ends([*listed, result.digest]) < spans.begins(seen)
    assert spans.ends(seen) < spans.begins(["latest", "1.0"])


def test_a_bundle_stands_before_it_is_listed(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    spans = Spans()
    registry.hooks.append(spans)
    result = merge(server.host, sign_key=key)
    [made] = statements(registry, result.digest, SIGNATURE)
    assert spans.ends([made.digest]) < spans.begins([list_tag(result.digest)])


def test_an_unchanged_rerun_writes_nothing(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    first = merge(server.host, sign_key=key)
    events: list[Event] = []
    kept.requests.clear()
    again = merge(server.host, sign_key=key, on_event=events.append)
    assert writes(kept.requests) == []
    assert not again.changed
    assert set(outcomes(again).values()) == {"present"}
    assert outcomes(again).keys() == outcomes(first).keys()
    assert [each.reference for each in again.signatures] == [
        each.reference for each in first.signatures
    ]
    [signed] = [event for event in events if isinstance(event, ManifestsSigned)]
    assert (signed.count, signed.written) == (4, 0)
    assert signed.reference == f"{server.host}/{REPOSITORY}"
    assert signed.key_id == again.signatures[0].key_id


def test_what_is_there_already_is_signed(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    merge(server.host)
    before = tags(kept)
    kept.requests.clear()
    result = oci_merge.sign(target(server.host), key=key)
    assert result.changed
    assert set(all_formats(kept, "latest").values()) == {BOTH}
    assert tags(kept)["latest"] == before["latest"] == result.digest
    assert not paths(kept.requests, "PUT", "/latest")
    kept.requests.clear()
    again = oci_merge.sign(target(server.host), key=key)
    assert writes(kept.requests) == []
    assert not again.changed
    assert set(outcomes(again).values()) == {"present"}
    assert [each.reference for each in again.signatures] == [
        each.reference for each in result.signatures
    ]


def test_a_tag_that_stands_already_is_signed_by_a_merge(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    merge(server.host)
    kept.requests.clear()
    result = merge(server.host, sign_key=key)
    assert not paths(kept.requests, "PUT", "/latest")
    assert set(outcomes(result).values()) == {"written"}
    assert set(all_formats(kept, "latest").values()) == {BOTH}


def test_an_image_alone_is_signed(server: RunningServer, kept: EmbeddedRegistry, key: str) -> None:
    result = oci_merge.sign(f"{server.host}/team/app-amd64:1.0", key=key)
    assert formats(kept, AMD64.digest, repository="team/app-amd64") == BOTH
    assert result.digest == AMD64.digest
    assert len(result.signatures) == 2


def test_a_digest_is_signed_although_its_tag_has_moved(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    digest = merge(server.host).digest
    add_old(kept, "latest")
    oci_merge.sign(f"{server.host}/{REPOSITORY}@{digest}", key=key, sign_index_only=True)
    assert formats(kept, digest) == BOTH
    assert formats(kept, AMD64.digest) == frozenset()


def test_indexes_within_an_index_are_signed_with_what_they_list(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    inner = build_index([AMD64, ARM64])
    outer = build_index([Child(inner), ARMV7])
    kept.add_image(REPOSITORY, "nested", outer)
    oci_merge.sign(target(server.host, "nested"), key=key)
    for each in (outer, inner, AMD64, ARM64, ARMV7):
        assert formats(kept, each.digest) == BOTH


def test_an_append_signs_what_it_keeps_with_indexes_within(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    inner = build_index([ARM64])
    kept.add_image(REPOSITORY, "latest", build_index([Child(inner), ARMV7]))
    result = oci_merge.merge(
        target(server.host),
        sources=[f"{server.host}/team/app-amd64:1.0"],
        append=True,
        sign_key=key,
    )
    assert len(children(kept, "latest")) == 3
    assert set(all_formats(kept, "latest").values()) == {BOTH}
    assert formats(kept, ARM64.digest) == BOTH
    assert outcomes(result)[result.digest, "classic"] == "written"
    kept.requests.clear()
    oci_merge.merge(
        target(server.host),
        sources=[f"{server.host}/team/app-amd64:1.0"],
        append=True,
        sign_key=key,
    )
    assert writes(kept.requests) == []


def test_an_append_that_tries_again_leaves_what_others_have_signed_meanwhile(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    merge(server.host, sources=sources(server.host)[:1])
    other = build_referrer(ARM64, "application/x-other")

    def by_others() -> None:
        # The tag moves, so that the append starts anew; and what it has signed is signed by others.
        registry.add_image(REPOSITORY, "latest", build_index([AMD64, ARMV7]))
        mine = document(registry, sig_tag(ARM64.digest))
        add_classic(registry, ARM64.digest)
        theirs = document(registry, sig_tag(ARM64.digest))
        _store(
            registry,
            sig_tag(ARM64.digest),
            theirs | {"layers": [*theirs["layers"], *mine["layers"]]},
        )
        listed = document(registry, list_tag(ARM64.digest))
        registry.add_image(REPOSITORY, "x", other)
        entry = {"mediaType": other.media_type, "digest": other.digest, "size": other.size}
        _store(
            registry,
            list_tag(ARM64.digest),
            listed | {"manifests": [*listed["manifests"], entry]},
            _INDEX,
        )

    def looks_again(request: Request) -> bool:
        is_signed = {sig_tag(ARM64.digest), list_tag(ARM64.digest)} <= tags(registry).keys()
        return is_signed and request.url.path.endswith("/latest")

    hook = Does(looks_again, by_others)
    registry.hooks.append(hook)
    result = oci_merge.merge(
        target(server.host),
        sources=[f"{server.host}/team/app-arm64:1.0"],
        append=True,
        sign_key=key,
    )
    assert hook.count == 1
    assert set(children(registry, "latest")) == {AMD64.digest, ARMV7.digest, ARM64.digest}
    assert set(all_formats(registry, "latest").values()) == {BOTH}
    assert formats(registry, ARM64.digest, OTHER) == {"classic"}
    assert other.digest in children(registry, list_tag(ARM64.digest))
    assert result.digest == tags(registry)["latest"]


def _store(
    registry: EmbeddedRegistry,
    tag: str,
    content: Any,
    media_type: str = "application/vnd.oci.image.manifest.v1+json",
) -> None:
    """Put JSON under a tag, whose blobs are there."""
    body = json.dumps(content).encode()
    registry.add_image(REPOSITORY, tag, BuiltImage(body, media_type, build_image().config, ()))


def test_every_target_is_signed_in_its_own_name(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    result = merge(server.host, targets=[f"{server.host}/mirror/app:1.0"], sign_key=key)
    for repository, tag in ((REPOSITORY, "latest"), ("mirror/app", "1.0")):
        assert set(all_formats(kept, tag, repository=repository).values()) == {BOTH}
        layer = document(kept, sig_tag(result.digest), repository)["layers"][0]
        payload = json.loads(kept.storage.blob(repository, layer["digest"]) or b"")
        named = payload["critical"]["identity"]["docker-reference"]
        assert named == f"{server.host}/{repository}"
    assert len(result.signatures) == 16


def test_a_target_that_keeps_all_of_its_tags_is_not_signed(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    kept.add_image(REPOSITORY, "latest", pair("1.3.0"))
    before = tags(kept)
    result = guarded_merge(
        server,
        kept,
        of_version("1.2.9"),
        target="latest",
        only_newer="version",
        sign_key=key,
        provenance=True,
    )
    assert result.tags[0].kept
    assert writes(kept.requests) == []
    assert tags(kept) == before
    assert result.signatures == ()


def test_a_dry_run_signs_nothing(server: RunningServer, kept: EmbeddedRegistry, key: str) -> None:
    result = merge(server.host, sign_key=key, provenance=True, dry_run=True)
    assert writes(kept.requests) == []
    assert result.signatures == ()


def test_what_others_have_signed_stays(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    digest = merge(server.host).digest
    theirs = {each: add_classic(kept, each) for each in (digest, AMD64.digest)}
    other = build_referrer(AMD64, "application/x-other")
    kept.add_image(REPOSITORY, "other", other)
    entry = other.descriptor() | {"annotations": {"org.example": "kept"}, "x-field": [1]}
    if not kept.settings.referrers:
        listed = {
            "schemaVersion": 2,
            "mediaType": _INDEX,
            "manifests": [entry],
            "annotations": {"org.example": "kept"},
            "x-whole": True,
        }
        _store(kept, list_tag(AMD64.digest), listed, _INDEX)
    merge(server.host, sign_key=key)
    assert set(all_formats(kept, "latest").values()) == {BOTH}
    for signed, made in theirs.items():
        assert formats(kept, signed, OTHER) == {"classic"}
        whole = document(kept, sig_tag(signed))
        assert whole["layers"][0] == json.loads(made.manifest)["layers"][0]
        assert whole["annotations"] == {"org.example.whole": "kept"}
        assert len(whole["layers"]) == 2
    if not kept.settings.referrers:
        listed = document(kept, list_tag(AMD64.digest))
        assert listed["manifests"][0] == entry
        assert listed["annotations"] == {"org.example": "kept"}
        assert listed["x-whole"] is True
        assert len(listed["manifests"]) == 2


def test_two_keys_sign_one_after_the_other(
    server: RunningServer, kept: EmbeddedRegistry, key: str, other_key: str
) -> None:
    merge(server.host, sign_key=key)
    merge(server.host, sign_key=other_key)
    for signer in (OWN, OTHER):
        assert set(all_formats(kept, "latest", signer).values()) == {BOTH}
    kept.requests.clear()
    merge(server.host, sign_key=key)
    assert writes(kept.requests) == []


def test_a_broken_signature_beside_does_not_hide_the_own_one(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    digest = oci_merge.sign(f"{server.host}/team/app-amd64:1.0", key=key).digest
    at = sig_tag(digest)
    whole = document(registry, at, "team/app-amd64")
    [own] = whole["layers"]
    broken = own | {"annotations": {"dev.cosignproject.cosign/signature": "no base64"}}
    body = json.dumps(whole | {"layers": [broken, own]}).encode()
    image = BuiltImage(body, whole["mediaType"], build_image().config, ())
    registry.add_image("team/app-amd64", at, image)
    registry.requests.clear()
    again = oci_merge.sign(f"{server.host}/team/app-amd64:1.0", key=key)
    assert writes(registry.requests) == []
    assert not again.changed


@pytest.mark.parametrize("format_", ["bundle", "classic", "both"])
def test_what_another_writer_puts_while_images_are_brought_stays(
    format_: Any, server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    other = build_referrer(AMD64, "application/x-other")

    def by_others() -> None:
        add_classic(registry, AMD64.digest)
        registry.add_image(REPOSITORY, "other", other)
        registry.add_image(REPOSITORY, list_tag(AMD64.digest), build_index([other]))

    # After the signatures of the image were read, and before they are put.
    registry.hooks.append(Does(puts(ARM64.digest), by_others))
    result = merge(server.host, sign_key=key, sign_format=format_)
    assert result.warnings == ()
    assert set(all_formats(registry, "latest").values()) == {_FORMATS[format_]}
    assert formats(registry, AMD64.digest, OTHER) == {"classic"}
    assert other.digest in children(registry, list_tag(AMD64.digest))


@pytest.mark.parametrize("format_", ["bundle", "classic", "both"])
def test_what_another_writer_overwrites_is_written_again(
    format_: Any, server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    merge(server.host)
    digest = AMD64.digest
    other = build_referrer(AMD64, "application/x-other")

    def lists() -> None:
        registry.add_image(REPOSITORY, "other", other)
        registry.add_image(REPOSITORY, list_tag(digest), build_index([other]))

    hooks = {
        "bundle": Does(puts(list_tag(digest)), lists, after=True),
        "classic": Does(
            puts(sig_tag(digest)),
            lambda: add_classic(registry, digest),
            after=True,
        ),
    }
    registry.hooks.extend(hooks.values())
    merge(server.host, sign_key=key, sign_format=format_)
    assert {name for name, hook in hooks.items() if hook.count} == _FORMATS[format_]
    assert set(all_formats(registry, "latest").values()) == {_FORMATS[format_]}
    if format_ != "bundle":
        assert formats(registry, digest, OTHER) == {"classic"}
    if format_ != "classic":
        assert other.digest in children(registry, list_tag(digest))


def test_a_writer_that_never_gives_way_is_an_error_before_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.referrers = False
    other = build_referrer(AMD64, "application/x-other")

    def by_others() -> None:
        registry.add_image(REPOSITORY, "other", other)
        registry.add_image(REPOSITORY, list_tag(AMD64.digest), build_index([other]))

    hook = Does(puts(list_tag(AMD64.digest)), by_others, after=True, times=100)
    registry.hooks.append(hook)
    with pytest.raises(SigningError) as caught:
        merge(server.host, sign_key=key, sign_format="bundle")
    assert AMD64.digest in caught.value.message
    assert "--referrers" not in caught.value.hint
    assert hook.count < 10
    assert "latest" not in tags(registry)


def test_two_jobs_with_different_keys_at_once_both_sign(
    server: RunningServer, registry: EmbeddedRegistry, key: str, other_key: str
) -> None:
    registry.settings.referrers = False
    merge(server.host)
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(oci_merge.sign, target(server.host), key=each) for each in (key, other_key)
        ]
        for run in runs:
            assert run.result().warnings == ()
    # A writer that reads just before another one writes may still lose that one's entry; what each
    # of them has looked at afterwards was there. So a rerun of both ends with both.
    for each in (key, other_key):
        oci_merge.sign(target(server.host), key=each)
    for signer in (OWN, OTHER):
        assert set(all_formats(registry, "latest", signer).values()) == {BOTH}


def test_two_jobs_with_one_key_at_once_write_one_signature(
    server: RunningServer, kept: EmbeddedRegistry, key: str
) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(merge, server.host, sign_key=key) for _ in range(2)]
        digests = {run.result().digest for run in runs}
    assert len(digests) == 1
    assert set(all_formats(kept, "latest").values()) == {BOTH}


def test_a_key_that_cannot_be_read_is_an_error_before_the_first_request(
    server: RunningServer,
    registry: EmbeddedRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, _ = generate_key_pair(b"s3cret-pa55")
    (tmp_path / "locked.key").write_bytes(private)
    (tmp_path / "bad.key").write_text("no key")
    locked = str(tmp_path / "locked.key")
    for given in (
        {"sign_key": str(tmp_path / "bad.key")},
        {"sign_key": str(tmp_path / "missing.key")},
        {"sign": True},
        {"sign_key": locked},
    ):
        for more in ({}, {"dry_run": True}):
            with pytest.raises(SigningKeyError):
                merge(server.host, **given, **more)
    with pytest.raises(SigningKeyError):
        oci_merge.sign(target(server.host), key=locked)
    monkeypatch.setenv("COSIGN_PASSWORD", "another")
    with pytest.raises(SigningKeyError):
        merge(server.host, sign_key=locked)
    with pytest.raises(UsageError):
        merge(server.host, sign_format="classic")
    assert registry.requests == []


def test_a_batch_opens_an_encrypted_key_once(
    server: RunningServer,
    registry: EmbeddedRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, _ = generate_key_pair(b"s3cret-pa55")
    (tmp_path / "locked.key").write_bytes(private)
    monkeypatch.setenv("COSIGN_PASSWORD", "s3cret-pa55")
    opened: list[bytes] = []
    derive = private_keys._derive

    def counted(password: bytes, salt: bytes, cost: int) -> bytes:
        opened.append(password)
        return derive(password, salt, cost)

    monkeypatch.setattr(private_keys, "_derive", counted)
    images = [
        {
            "name": name,
            "target": f"{server.host}/team/{name}:1.0",
            "sources": sources(server.host),
            "sign_key": str(tmp_path / "locked.key"),
        }
        for name in ("one", "two")
    ]
    with oci_merge.Client() as client:
        result = client.batch(images)
    assert (result.published, result.failed) == (2, 0)
    assert len(opened) == 1
    for name in ("one", "two"):
        assert formats(registry, result.images[0].digest, _key_of(private), f"team/{name}") == BOTH


def test_a_digest_that_cannot_be_signed_is_an_error_before_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    digest = "sha512:" + hashlib.sha512(AMD64.manifest).hexdigest()
    held = registry.storage.manifest("team/app-amd64", AMD64.digest)
    assert held
    index = build_index([AMD64])
    body = index.manifest.replace(AMD64.digest.encode(), digest.encode())
    registry.settings.children = "anything"
    registry.add_image(
        REPOSITORY, "long", BuiltImage(body, index.media_type, build_image().config, ())
    )
    with pytest.raises(SigningError, match="sha256 digests alone") as caught:
        oci_merge.sign(target(server.host, "long"), key=key)
    assert "--sign-index-only" in caught.value.hint
    assert writes(registry.requests) == []
    oci_merge.sign(target(server.host, "long"), key=key, sign_index_only=True)
    assert formats(registry, tags(registry)["long"]) == BOTH


def test_neither_key_nor_password_nor_signature_is_told(
    server: RunningServer,
    registry: EmbeddedRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    password = "s3cret-pa55-word"
    private, _ = generate_key_pair(password.encode())
    (tmp_path / "locked.key").write_bytes(private)
    monkeypatch.setenv("COSIGN_PASSWORD", password)
    caplog.set_level(logging.DEBUG)
    events: list[Event] = []
    result = merge(
        server.host,
        sign_key=str(tmp_path / "locked.key"),
        provenance=True,
        on_event=events.append,
    )
    merge(server.host, sign_key=str(tmp_path / "locked.key"), on_event=events.append)
    told = "\n".join(
        [
            *(record.getMessage() for record in caplog.records),
            *(repr(event) for event in events),
            repr(result),
            json.dumps(result.to_dict()),
        ]
    )
    assert "/manifests/" in told
    assert password not in told
    lines = private.decode().splitlines()[1:-1]
    assert not [line for line in lines if line in told]
    secret = _key_of(private, password).private_numbers().private_value
    assert str(secret) not in told
    assert f"{secret:x}" not in told
    for digest in (result.digest, AMD64.digest):
        [layer] = document(registry, sig_tag(digest))["layers"]
        assert layer["annotations"]["dev.cosignproject.cosign/signature"] not in told
        for made in statements(registry, digest, SIGNATURE):
            assert made.envelope["signatures"][0]["sig"] not in told
            assert made.envelope["payload"] not in told
