"""Signing and verifying where strangers push, too: what they leave changes nothing of ours."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures import media_types
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import BuiltIndex, build_image, build_index, build_referrer
from fixtures.server import RunningServer
from oci_merge import ManifestError, SignatureError, SigningError
from oci_merge.operations.keys import KeyRing
from oci_merge.trust import classic
from tests.edge.operations import signed as stored
from tests.edge.operations.signing import (
    OWN,
    formats,
    list_tag,
    outcomes,
    referrers,
    sig_tag,
    write_key,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    REPOSITORY,
    Answers,
    add_old,
    asks,
    merge,
    reply,
    tags,
    target,
    writes,
)
from tests.unit.trust.documents import STRANGER

_AMD64 = "team/app-amd64"
_ARM64 = "team/app-arm64"


@pytest.fixture
def public(tmp_path: Path) -> str:
    """The file of the public key that images have to be signed by."""
    return stored.key_file(tmp_path)


def _sign_sources(registry: EmbeddedRegistry) -> None:
    """Sign the images by the key that is trusted."""
    for repository, image in ((_AMD64, AMD64), (_ARM64, ARM64)):
        stored.add_classic(registry, repository, image)


@pytest.mark.parametrize("more", [{}, {"require": ["linux/arm64"]}], ids=["plain", "guarded"])
def test_an_append_does_not_sign_what_nobody_signed(
    server: RunningServer,
    registry: EmbeddedRegistry,
    key: str,
    public: str,
    more: dict[str, Any],
) -> None:
    _sign_sources(registry)
    registry.add_image(REPOSITORY, "latest", build_index([build_image("linux", "s390x")]))
    before = tags(registry)
    registry.requests.clear()
    with pytest.raises(SignatureError, match=r"what --append keeps of .* is not signed by"):
        oci_merge.append(
            target(server.host),
            sources=[f"{server.host}/{_ARM64}:1.0"],
            sign_key=key,
            verify_keys=[public],
            **more,
        )
    assert tags(registry) == before
    assert writes(registry.requests) == []


def test_an_append_to_what_is_signed_goes_on(
    server: RunningServer, registry: EmbeddedRegistry, key: str, public: str
) -> None:
    _sign_sources(registry)
    present = build_index([build_image("linux", "s390x")])
    registry.add_image(REPOSITORY, "latest", present)
    stored.add_classic(registry, REPOSITORY, present)
    result = oci_merge.append(
        target(server.host), sources=[f"{server.host}/{_ARM64}:1.0"], verify_keys=[public]
    )
    assert {each.digest for each in result.verified_signatures} == {ARM64.digest, present.digest}


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(annotations={"org.opencontainers.image.source": "https://evil"}),
        lambda it: it["manifests"][0].update(annotations={"com.example": "evil"}),
        lambda it: it["manifests"][0].update(urls=["https://evil.example"]),
        lambda it: it["manifests"][0]["platform"].update({"os.version": "66.6"}),
        lambda it: it["manifests"][0]["platform"].update({"os.features": ["evil"]}),
    ],
    ids=["index annotations", "entry annotations", "urls", "os.version", "os.features"],
)
def test_an_index_that_nobody_signed_says_nothing_of_signed_images(
    server: RunningServer,
    registry: EmbeddedRegistry,
    public: str,
    change: Callable[[dict[str, object]], None],
) -> None:
    held = json.loads(build_index([AMD64]).manifest)
    change(held)
    index = BuiltIndex(json.dumps(held).encode(), media_types.OCI_INDEX, (AMD64,))
    registry.add_image("team/made", "1.0", index)
    stored.add_classic(registry, "team/made", AMD64)
    registry.requests.clear()
    with pytest.raises(SignatureError, match="index that is not signed"):
        merge(server.host, sources=[f"{server.host}/team/made:1.0"], verify_keys=[public])
    assert writes(registry.requests) == []


@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
def test_a_nested_document_of_a_stranger_ends_no_run(
    server: RunningServer, registry: EmbeddedRegistry, public: str, api: bool
) -> None:
    registry.settings.referrers = api
    nested = [
        b'{"a":"\\u0041","b":' + b"[" * depth + b"]" * depth + b"}"
        for depth in (*range(940, 1000, 4), 5000)
    ]
    found = [stored.bundle_of(AMD64, STRANGER, payload=each) for each in nested]
    held = [*found, stored.bundle_of(AMD64)]
    if api:
        stored.attach(registry, _AMD64, *held)
    else:
        stored.list_by_tag(registry, _AMD64, AMD64, *held)
    verified = oci_merge.verify(f"{server.host}/{_AMD64}:1.0", keys=[public])
    assert len(verified.signatures) == 1


@pytest.mark.parametrize("name", ["both", "bundle"])
def test_a_referrer_that_is_gone_does_not_keep_ours_away(
    server: RunningServer, registry: EmbeddedRegistry, key: str, name: str
) -> None:
    registry.settings.referrers = False
    gone = stored.bundle_of(AMD64, STRANGER)
    stored.list_by_tag(registry, REPOSITORY, AMD64, gone)
    registry.storage.remove_manifest(REPOSITORY, gone.digest)
    registry.settings.children = "anything"
    result = merge(server.host, sign_key=key, sign_format=name)
    assert outcomes(result)[AMD64.digest, "bundle"] == "written"
    assert len(referrers(registry, AMD64.digest)) == 2
    assert result.warnings == ()


@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
def test_more_referrers_than_are_read_do_not_keep_ours_away(
    server: RunningServer, registry: EmbeddedRegistry, key: str, api: bool
) -> None:
    registry.settings.referrers = api
    others = [build_referrer(AMD64, f"application/vnd.example.{n}") for n in range(60)]
    if api:
        stored.attach(registry, REPOSITORY, *others)
    else:
        stored.list_by_tag(registry, REPOSITORY, AMD64, *others)
    result = merge(server.host, sign_key=key)
    assert set(outcomes(result).values()) == {"written"}
    assert len(referrers(registry, AMD64.digest)) == 61
    again = merge(server.host, sign_key=key)
    assert set(outcomes(again).values()) == {"present"}


class _OnlyIn(Hook):
    """Serves the referrers API for one repository alone, and says so in no answer.

    Args:
        repository: the repository.
    """

    def __init__(self, repository: str) -> None:
        self._repository = repository

    async def before(self, request: Request) -> Response | None:
        path = request.url.path
        if "/referrers/" in path and not path.startswith(f"/v2/{self._repository}/"):
            return Response(status_code=404)
        return None

    async def after(self, request: Request, response: Response) -> Response:
        if "oci-subject" in response.headers:
            del response.headers["oci-subject"]
        return response


def test_a_bundle_is_listed_by_tag_where_only_other_repositories_have_the_api(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.hooks.append(_OnlyIn(_AMD64))
    result = merge(server.host, sign_key=key, sign_format="bundle", referrers=True)
    assert set(outcomes(result).values()) == {"written"}
    for digest in (result.digest, AMD64.digest):
        assert list_tag(digest) in tags(registry)


def test_an_image_that_is_listed_and_not_there_is_not_signed(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    registry.settings.children = "anything"
    registry.add_image(REPOSITORY, "latest", build_index([AMD64, ARM64]))
    registry.storage.remove_manifest(REPOSITORY, ARM64.digest)
    registry.requests.clear()
    with pytest.raises(SigningError, match=f"lists {ARM64.digest}, which"):
        oci_merge.sign(target(server.host), key=key)
    assert writes(registry.requests) == []


def test_indexes_that_stand_too_deep_in_each_other_are_an_error(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    index = build_index([AMD64])
    for _ in range(6):
        index = build_index([index])
    registry.add_image(REPOSITORY, "latest", index)
    with pytest.raises(ManifestError, match="deep in each other") as caught:
        oci_merge.sign(target(server.host), key=key)
    assert "--sign-index-only" in caught.value.hint
    assert oci_merge.sign(target(server.host), key=key, sign_index_only=True).changed


def test_an_index_that_is_listed_many_times_is_signed_once(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    index = build_index([AMD64])
    for _ in range(3):
        index = build_index([index] * 40)
    registry.add_image(REPOSITORY, "latest", index)
    signed = oci_merge.sign(target(server.host), key=key)
    assert len(signed.signatures) == 2 * 5


def test_a_signature_that_others_do_not_verify_is_not_taken_for_ours(
    server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    own = ec.generate_private_key(ec.SECP384R1())
    file = write_key(tmp_path / "p384.key", own)
    registry.add_image(REPOSITORY, "latest", AMD64)
    payload = classic.make_payload(f"{server.host}/{REPOSITORY}", AMD64.digest)
    made = classic.with_signature(None, payload, own.sign(payload, ec.ECDSA(SHA384())))
    registry.add_image(REPOSITORY, sig_tag(AMD64.digest), stored.built(made))
    signed = oci_merge.sign(target(server.host), key=file)
    assert set(outcomes(signed).values()) == {"written"}
    held = registry.storage.manifest(REPOSITORY, sig_tag(AMD64.digest))
    assert held
    assert len(json.loads(held.content)["layers"]) == 2


@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
def test_an_index_is_signed_before_its_subject_lists_it(
    server: RunningServer, registry: EmbeddedRegistry, key: str, api: bool
) -> None:
    registry.settings.referrers = api
    subject = build_image("linux", "s390x")
    registry.add_image(REPOSITORY, "subject", subject)
    registry.hooks.append(Answers(asks("PUT", ".sig"), reply(403)))
    registry.hooks.append(Answers(asks("PUT", "/manifests/sha256-"), reply(403)))
    options: dict[str, Any] = {"format": "oci", "subject": f"{server.host}/{REPOSITORY}:subject"}
    with pytest.raises(oci_merge.OciMergeError):
        merge(server.host, sign_key=key, sign_format="classic", **options)
    if not api:  # a registry with the API lists it as soon as it is there
        assert list_tag(subject.digest) not in tags(registry)
    assert "latest" not in tags(registry)


def test_a_look_at_signatures_that_is_denied_is_a_warning_and_they_count_as_written(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    class _DeniesAfter(Hook):
        """Denies signatures to readers once one is stored."""

        def __init__(self) -> None:
            self.is_put = False

        async def before(self, request: Request) -> Response | None:
            if not request.url.path.endswith(".sig"):
                return None
            self.is_put = self.is_put or request.method == "PUT"
            is_denied = self.is_put and request.method == "GET"
            return Response(status_code=403) if is_denied else None

    registry.hooks.append(_DeniesAfter())
    result = merge(server.host, sign_key=key)
    assert set(outcomes(result).values()) == {"written"}
    (warning,) = result.warnings
    assert "signatures were stored, but could not be looked at again" in warning


def test_signatures_that_do_not_stay_are_an_error_that_says_where_the_tag_points(
    server: RunningServer, registry: EmbeddedRegistry, key: str
) -> None:
    class _Overwrites(Hook):
        """Puts another signature in the place of each that is put."""

        async def after(self, request: Request, response: Response) -> Response:
            path = request.url.path
            if request.method == "PUT" and path.endswith(".sig"):
                theirs = stored.classic_of(AMD64, REPOSITORY, STRANGER)
                registry.add_image(REPOSITORY, path.rpartition("/")[2], theirs)
            return response

    add_old(registry, "latest")
    registry.hooks.append(_Overwrites())
    with pytest.raises(SigningError, match="the tags point to the new index, but") as caught:
        merge(server.host, sign_key=key, sign_format="classic")
    assert "run the same command again" in caught.value.hint
    assert formats(registry, AMD64.digest, OWN) == frozenset()


async def _trust(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> object:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return await KeyRing(None).trust(None, ())


@pytest.mark.anyio
async def test_what_a_run_knows_of_its_keys_has_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trust = await _trust({"COSIGN_PASSWORD": "pass-5ecret"}, monkeypatch)
    assert "pass-5ecret" not in repr(trust)
    assert b"pass-5ecret" not in pickle.dumps(trust)
