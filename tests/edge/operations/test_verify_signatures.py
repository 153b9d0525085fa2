"""Signatures that are asked for: found in both formats, believed only without doubt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.faults import Answer, Hang, On, OtherBytes
from fixtures.embedded.personalities import gitlab
from fixtures.embedded.storage import StoredManifest
from fixtures.images import (
    Blob,
    BuiltImage,
    build_image,
    build_index,
    build_referrer,
    digest_of,
)
from fixtures.seed import Seeder
from fixtures.server import RunningServer, serve
from fixtures.trust import SignedCase, load_cases, load_keys, push_signed
from oci_merge import SignatureError
from oci_merge.trust import bundle, classic
from tests.edge.operations.signed import (
    add_classic,
    attach,
    bundle_of,
    classic_of,
    cosign_key,
    key_file,
    list_by_tag,
    signed,
)
from tests.edge.support import (
    AMD64,
    ARM64,
    Answers,
    asks,
    merge,
    paths,
    reply,
    tags,
    writes,
)
from tests.unit.trust.documents import OURS, SLSA, STRANGER, changed

_APP = "team/app-amd64"
_EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """The file of our public key."""
    return key_file(tmp_path)


@pytest.fixture(params=["api", "tag"])
def listing(request: pytest.FixtureRequest, registry: EmbeddedRegistry) -> str:
    """Who lists referrers: the registry's API, or the tag that clients maintain."""
    registry.settings.referrers = request.param == "api"
    return str(request.param)


def _push(server: RunningServer, registry: EmbeddedRegistry, each: SignedCase) -> str:
    """Push what cosign signed; return its reference."""
    with Seeder(server.url) as seeder:
        push_signed(seeder, each.items)
    registry.requests.clear()
    return f"{server.host}/{each.repository}:{each.tag}"


def _refer(registry: EmbeddedRegistry, *referrers: BuiltImage, **options: Any) -> None:
    """Attach referrers to the image for amd64, and list them as the registry lists such."""
    attach(registry, _APP, *referrers)
    if not registry.settings.referrers:
        list_by_tag(registry, _APP, AMD64, *referrers, **options)


def _verify(server: RunningServer, key: str, **options: Any) -> oci_merge.Verification:
    return oci_merge.verify(f"{server.host}/{_APP}:1.0", keys=[key], **options)


def _why(server: RunningServer, registry: EmbeddedRegistry, key: str, **options: Any) -> str:
    """Say why the image for amd64 is not verified, neither to be looked at nor to be joined."""
    registry.requests.clear()
    with pytest.raises(SignatureError) as caught:
        _verify(server, key, **options)
    error = caught.value
    assert error.missing == (f"{server.host}/{_APP}@{AMD64.digest}",)
    assert error.hint
    prefix = f"{server.host}/{_APP}:1.0 is not signed by {key}: "
    assert error.message.startswith(prefix)
    reason = error.message.removeprefix(prefix)
    with pytest.raises(SignatureError) as joined:
        _join_amd64(server, key, **options)
    assert joined.value.missing == (f"{server.host}/{_APP}:1.0",)
    assert reason in joined.value.message
    assert writes(registry.requests) == []
    assert tags(registry) == {}
    return reason


def _join_amd64(server: RunningServer, *keys: str, **options: Any) -> oci_merge.MergeResult:
    source = f"{server.host}/{_APP}:1.0"
    return merge(server.host, sources=[source], verify_keys=keys, **options)


def _ids(each: SignedCase) -> str:
    return f"{each.key} {each.format}"


@pytest.mark.parametrize("each", load_cases(), ids=_ids)
def test_what_cosign_signed_is_verified(
    each: SignedCase,
    server: RunningServer,
    registry: EmbeddedRegistry,
    listing: str,
    tmp_path: Path,
) -> None:
    reference = _push(server, registry, each)
    key = cosign_key(tmp_path, each.key)
    found = oci_merge.verify(reference, keys=[key])
    assert {s.digest for s in found.signatures} == {each.digest, *each.images}
    assert {(s.format, s.key) for s in found.signatures} == {(each.format, key)}
    for signature in found.signatures:
        at, _, _ = signature.reference.partition("@" if each.format == "bundle" else ":sha256-")
        assert at == f"{server.host}/{each.repository}"
    assert writes(registry.requests) == []


@pytest.mark.parametrize("each", load_cases(), ids=_ids)
def test_what_cosign_signed_is_joined(
    each: SignedCase, server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    reference = _push(server, registry, each)
    keys = [cosign_key(tmp_path, name) for name in load_keys()]
    result = merge(server.host, sources=[reference], verify_keys=keys)
    assert {entry.digest for entry in result.platforms} == set(each.images)
    [signature] = result.verified_signatures
    assert (signature.digest, signature.format) == (each.digest, each.format)
    assert signature.key == cosign_key(tmp_path, each.key)
    assert result.to_dict()["verifiedSignatures"] == [signature.to_dict()]


@pytest.mark.parametrize("each", load_cases(), ids=_ids)
def test_another_key_verifies_none_of_it(
    each: SignedCase, server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    reference = _push(server, registry, each)
    keys = [cosign_key(tmp_path, name) for name in load_keys() if name != each.key]
    for call in (
        lambda: oci_merge.verify(reference, keys=keys),
        lambda: merge(server.host, sources=[reference], verify_keys=keys),
    ):
        with pytest.raises(SignatureError, match="it is signed by another key"):
            call()
    assert writes(registry.requests) == []


@pytest.mark.parametrize("each", load_cases(), ids=_ids)
def test_what_is_changed_underway_is_not_verified(
    each: SignedCase, server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    reference = _push(server, registry, each)
    stored = [item for item in each.items if len(item.blobs) == 2]
    for item in stored:
        [digest] = [layer["digest"] for layer in json.loads(item.manifest)["layers"]]
        if len(item.blobs[1]) < 2000:
            registry.hooks.append(On("GET", f"*/blobs/{digest}", OtherBytes()))
    with pytest.raises(SignatureError, match="but the registry sent sha256:"):
        oci_merge.verify(reference, keys=[cosign_key(tmp_path, each.key)])


def test_an_image_without_a_signature_is_not_verified(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    assert _why(server, registry, ours) == "no signature was found"


@pytest.mark.parametrize("form", ["bundle", "classic"])
def test_a_signature_in_either_format_is_enough(
    form: str, server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    if form == "bundle":
        _refer(registry, bundle_of(AMD64))
    else:
        add_classic(registry, _APP, AMD64)
    [signature] = _verify(server, ours).signatures
    assert (signature.digest, signature.format) == (AMD64.digest, form)
    assert signature.key_id == OURS.public.key_id
    assert _join_amd64(server, ours).verified_signatures == (signature,)


def test_a_stranger_s_signatures_beside_ours_change_nothing(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    _refer(registry, build_referrer(AMD64), bundle_of(AMD64, STRANGER), bundle_of(AMD64))
    add_classic(registry, _APP, AMD64, STRANGER, OURS)
    assert [each.format for each in _verify(server, ours).signatures] == ["bundle", "classic"]


def test_a_stranger_s_bundle_does_not_hide_our_classic_signature(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    _refer(registry, bundle_of(AMD64, STRANGER))
    add_classic(registry, _APP, AMD64)
    assert [each.format for each in _verify(server, ours).signatures] == ["classic"]


def test_a_stranger_s_signatures_alone_are_none(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    _refer(registry, bundle_of(AMD64, STRANGER))
    add_classic(registry, _APP, AMD64, STRANGER)
    assert _why(server, registry, ours) == "it is signed by another key"


def test_a_provenance_by_our_key_is_no_signature(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    payload = bundle.statement(signed(AMD64), SLSA, {"buildDefinition": {}})
    _refer(registry, bundle_of(AMD64, payload=payload))
    assert _why(server, registry, ours) == (
        f"no signature was found, but what stands in the place of one: it is {SLSA}"
    )


def test_a_signature_of_another_image_cannot_be_moved_here(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    _refer(registry, bundle_of(AMD64, payload=bundle.signature_statement(signed(ARM64))))
    moved = classic_of(ARM64, _APP)
    registry.add_image(_APP, classic.tag_of(AMD64.digest), moved)
    assert _why(server, registry, ours).endswith("it is of another image")


def test_a_list_cannot_claim_the_signature_of_another_image(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    registry.settings.referrers = False
    list_by_tag(registry, _APP, AMD64, bundle_of(ARM64))
    assert _why(server, registry, ours).endswith("it is of another image")


def _other_blob(image: BuiltImage, content: bytes) -> BuiltImage:
    """Return a manifest whose layer is another one."""
    [layer] = image.layers
    other = Blob(layer.media_type, content)

    def put(held: dict[str, Any]) -> None:
        held["layers"][0] |= {"digest": other.digest, "size": other.size}

    return BuiltImage(changed(image.manifest, put), image.media_type, image.config, (other,))


_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-1],
    "two": lambda content: content + content,
    "byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "key twice": lambda content: re.sub(rb'"(payload|critical)":', rb'"\1":{},"\1":', content),
    "empty": lambda content: b"",
    "deep": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("change", _CHANGES)
@pytest.mark.parametrize("form", ["bundle", "classic"])
def test_a_document_that_is_not_read_without_doubt_is_no_signature(
    form: str, change: str, server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    held = bundle_of(AMD64) if form == "bundle" else classic_of(AMD64, _APP)
    other = _other_blob(held, _CHANGES[change](held.layers[0].content))
    if form == "bundle":
        _refer(registry, other)
    else:
        registry.add_image(_APP, classic.tag_of(AMD64.digest), other)
    said = "it has a key twice" if change == "key twice" else "it is not JSON"
    assert _why(server, registry, ours) == f"a signature cannot be read: {said}"


def test_a_hostile_document_beside_ours_does_not_end_the_run(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    hostile = [b'{"_type":[],"subject":[],"predicateType":{}}', b"[" * 9999, b"{}", b"\xff", b""]
    _refer(registry, *(bundle_of(AMD64, payload=each) for each in hostile), bundle_of(AMD64))
    assert len(_verify(server, ours).signatures) == 1


@pytest.mark.parametrize("artifact_type", [None, "", _EMPTY])
def test_a_bundle_is_found_where_the_list_does_not_say_that_it_is_one(
    artifact_type: str | None,
    server: RunningServer,
    registry: EmbeddedRegistry,
    listing: str,
    ours: str,
) -> None:
    held = bundle_of(AMD64, artifact_type=artifact_type or "")
    _refer(registry, held, build_referrer(AMD64), artifact_type=artifact_type)
    assert len(_verify(server, ours).signatures) == 1


def test_classic_signatures_that_are_attached_as_a_referrer_are_verified(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    # cosign 2 does that with --registry-referrers-mode=oci-1-1.
    made = classic_of(AMD64, "team/app", STRANGER, OURS)
    subject = {"mediaType": AMD64.media_type, "digest": AMD64.digest, "size": AMD64.size}
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    content = changed(made.manifest, lambda it: it.update(subject=subject, artifactType=kind))
    referrer = BuiltImage(content, made.media_type, made.config, made.layers)
    _refer(registry, referrer, artifact_type=kind)
    (found,) = _verify(server, ours).signatures
    assert found.format == "classic"
    assert "@sha256:" in found.reference


def test_a_referrer_that_is_said_to_be_something_else_is_not_fetched(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    other = build_referrer(AMD64)
    _refer(registry, other, artifact_type="application/spdx+json")
    assert _why(server, registry, ours) == "no signature was found"
    assert paths(registry.requests, "GET", other.digest) == []


def test_a_bundle_with_a_second_layer_is_none(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    held = bundle_of(AMD64)
    content = changed(held.manifest, lambda it: it.update(layers=it["layers"] * 2))
    _refer(registry, BuiltImage(content, held.media_type, held.config, held.layers))
    assert _why(server, registry, ours) == "no signature was found"


def test_more_than_50_referrers_verify_nothing(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    others = [build_referrer(AMD64, text=str(number)) for number in range(50)]
    _refer(registry, bundle_of(AMD64), *others)
    assert "has more than 50 referrers" in _why(server, registry, ours)


def test_more_than_50_classic_signatures_verify_nothing(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    held = classic_of(AMD64, _APP)
    content = changed(held.manifest, lambda it: it.update(layers=it["layers"] * 51))
    tag = classic.tag_of(AMD64.digest)
    registry.add_image(_APP, tag, BuiltImage(content, held.media_type, held.config, held.layers))
    assert f":{tag} has more than 50 signatures" in _why(server, registry, ours)


def test_50_referrers_are_read(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    others = [build_referrer(AMD64, text=str(number)) for number in range(49)]
    _refer(registry, bundle_of(AMD64), *others)
    assert len(_verify(server, ours).signatures) == 1


def test_gitlab_has_classic_signatures_alone(tmp_path: Path, ours: str) -> None:
    kind = gitlab()
    assert kind.login is not None
    username, password = kind.login
    repository = f"{kind.namespace}/app"
    kind.registry.add_image(repository, "1.0", AMD64)
    with serve(kind.registry.app) as server:

        def look() -> oci_merge.Verification:
            reference = f"{server.host}/{repository}:1.0"
            return oci_merge.verify(reference, keys=[ours], username=username, password=password)

        with pytest.raises(SignatureError, match="no signature was found"):
            look()
        add_classic(kind.registry, repository, AMD64)
        [signature] = look().signatures
    assert signature.format == "classic"
    assert writes(kind.registry.requests) == []


@pytest.mark.parametrize("status", [500, 503, 403])
def test_a_registry_that_does_not_list_referrers_verifies_no_bundle(
    status: int, server: RunningServer, registry: EmbeddedRegistry, waits: list[float], ours: str
) -> None:
    _refer(registry, bundle_of(AMD64))
    registry.hooks.append(On("GET", "*/referrers/*", Answer(status)))
    reason = _why(server, registry, ours)
    assert reason.startswith("a signature cannot be read: ")
    assert ("does not allow" if status == 403 else str(status)) in reason
    add_classic(registry, _APP, AMD64)
    assert [each.format for each in _verify(server, ours).signatures] == ["classic"]


@pytest.mark.parametrize("status", [500, 503, 403])
def test_a_registry_that_does_not_show_the_tag_verifies_nothing_by_it(
    status: int, server: RunningServer, registry: EmbeddedRegistry, waits: list[float], ours: str
) -> None:
    add_classic(registry, _APP, AMD64)
    registry.hooks.append(On("GET", "*/manifests/*.sig", Answer(status)))
    reason = _why(server, registry, ours)
    assert reason.startswith("a signature cannot be read: ")
    assert ("does not allow" if status == 403 else str(status)) in reason


def test_a_list_that_is_no_list_verifies_nothing(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    index = "application/vnd.oci.image.index.v1+json"
    for content in ("{", '{"manifests":[{"digest":"../x"}]}', '{"manifests":1}'):
        registry.hooks[:] = [Answers(asks("GET", "/referrers/"), reply(200, content, kind=index))]
        assert _why(server, registry, ours).startswith("a signature cannot be read: ")


def test_a_blob_that_is_gone_verifies_nothing(
    server: RunningServer, registry: EmbeddedRegistry, listing: str, ours: str
) -> None:
    held = bundle_of(AMD64)
    _refer(registry, held)
    registry.storage.remove_blob(_APP, held.layers[0].digest)
    assert _why(server, registry, ours).startswith("a signature cannot be read: ")


def test_a_referrer_that_is_gone_verifies_nothing(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    registry.settings.referrers = False
    held = bundle_of(AMD64)
    list_by_tag(registry, _APP, AMD64, held)
    registry.storage.repositories[_APP].manifests.pop(held.digest)
    assert _why(server, registry, ours).startswith("a signature cannot be read: ")


@pytest.mark.parametrize(
    "where", ["*/referrers/*", "*/manifests/*.sig", "*/blobs/*"], ids=["list", "tag", "blob"]
)
def test_a_registry_that_does_not_answer_verifies_nothing(
    where: str, server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    held = bundle_of(AMD64)
    if "referrers" in where:
        _refer(registry, held)
    elif "sig" in where:
        add_classic(registry, _APP, AMD64)
    else:
        _refer(registry, held)
        where = f"*/blobs/{held.layers[0].digest}"
    registry.hooks.append(On("GET", where, Hang()))
    reason = _why(server, registry, ours, timeout=0.1)
    assert "did not answer" in reason


def test_the_tag_of_signatures_may_be_an_index(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    registry.add_image(_APP, classic.tag_of(AMD64.digest), build_index([AMD64]))
    reason = _why(server, registry, ours)
    assert reason.endswith(
        f":{classic.tag_of(AMD64.digest)} cannot be read: it is no image manifest"
    )


@pytest.mark.parametrize(
    "digest", ["../../../../v2/x", "sha256:../x", "sha256:" + "0" * 63 + "?"], ids=str
)
def test_a_digest_with_a_path_in_it_leads_to_no_request(
    digest: str, server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    held = classic_of(AMD64, _APP)
    content = changed(held.manifest, lambda it: it["layers"][0].update(digest=digest))
    tag = classic.tag_of(AMD64.digest)
    # Past the checks of the registry, which would refuse it.
    stored = StoredManifest(digest_of(content), held.media_type, content)
    registry.storage.put_manifest(_APP, stored, [tag])
    assert "it has a layer without a digest" in _why(server, registry, ours)
    asked = {record.path for record in registry.requests if "/blobs/" in record.path}
    assert asked <= {f"/v2/{_APP}/blobs/{AMD64.config.digest}"}


def test_a_signature_in_another_repository_is_not_looked_for(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    registry.add_image("team/other", "1.0", AMD64)
    add_classic(registry, "team/other", AMD64)
    attach(registry, "team/other", bundle_of(AMD64))
    assert _why(server, registry, ours) == "no signature was found"


def test_what_is_joined_is_what_was_verified_though_the_tag_moves(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    add_classic(registry, _APP, AMD64)
    evil = build_image("linux", "amd64", text="evil")

    class Moves(Hook):
        async def after(self, request: Request, response: Response) -> Response:
            registry.add_image(_APP, "1.0", evil)
            return response

    registry.hooks.append(On("GET", "*/manifests/*.sig", Moves()))
    result = _join_amd64(server, ours)
    assert tags(registry, _APP)["1.0"] == evil.digest
    assert [entry.digest for entry in result.platforms] == [AMD64.digest]


def test_a_terminal_obeys_nothing_of_a_stranger_s_statement(
    server: RunningServer, registry: EmbeddedRegistry, ours: str
) -> None:
    payload = bundle.statement(signed(AMD64), "\x1b]0;x\x07##vso[task]", {})
    _refer(registry, bundle_of(AMD64, payload=payload))
    reason = _why(server, registry, ours)
    assert reason.isprintable()
    assert "##vso[" not in reason
