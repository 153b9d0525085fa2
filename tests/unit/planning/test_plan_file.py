"""Plans as files: what is checked before the first request."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.images import build_image
from oci_merge._text import has_controls
from oci_merge.errors import UsageError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import parse_reference
from oci_merge.planning.plan import Manner, Plan, PlannedSource, plan_index
from oci_merge.planning.plan_file import load_plan, parse_plan
from oci_merge.planning.result import MergeResult, TagResult, TargetResult, platform_results
from oci_merge.planning.transfers import own_children, plan_transfers
from tests.unit.planning.components import UNKNOWN, attestation, component, images, listed

_AMD64, _ARM64 = images("linux/amd64", "linux/arm64")
_OWN = build_image("linux", "s390x", text="own")
_DECIDED = [
    (listed(_AMD64, "app-amd64:1", "linux/amd64"), Platform("linux", "amd64")),
    (attestation(_AMD64, "app-amd64:1"), UNKNOWN),
    (component(_ARM64, "app-arm64:1"), Platform("linux", "arm64")),
    (component(_OWN, "app:1-s390x"), Platform("linux", "s390x")),
]
_OTHER = "sha256:" + "0" * 64


def _planned(*names: str) -> dict[str, Any]:
    """Return the document of a dry run with these targets."""
    parts = [part for part, _ in _DECIDED]
    index = plan_index(_DECIDED, list_format="auto", annotations={})
    plans = []
    for name in names or ("reg.example/app:1",):
        target = parse_reference(name)
        plans.append(
            Plan(
                target=target,
                index=index,
                transfers=plan_transfers(
                    parts, target.repository, frozenset({_ARM64.digest}), registry=target.registry
                ),
                tags=(str(target.tag), "latest"),
                unchanged=frozenset(),
                expected=plan_transfers(
                    [parts[2]], target.repository, frozenset(), registry=target.registry
                ),
                own=own_children(parts, target),
                standing={"latest": _OTHER},
                sources=(
                    PlannedSource(parse_reference("reg.example/app-amd64:1"), _OTHER),
                    PlannedSource(parse_reference("reg.example/app-arm64:1"), _ARM64.digest),
                    PlannedSource(parse_reference("reg.example/app:1-s390x"), _OWN.digest),
                ),
                manner=Manner(copy_layers=True),
            )
        )
    result = MergeResult(
        targets=tuple(
            TargetResult(str(p.target), tuple(TagResult(t, True) for t in p.tags), p) for p in plans
        ),
        digest=index.digest,
        size=index.size,
        media_type=index.media_type,
        platforms=platform_results(_DECIDED),
        warnings=("a warning",),
        dry_run=True,
    )
    document: dict[str, Any] = json.loads(json.dumps(result.to_dict()))
    return document


_DOCUMENT = _planned()


def test_a_plan_comes_back_from_its_document() -> None:
    file = load_plan(json.dumps(_DOCUMENT), name="plan.json")
    assert [plan.to_dict() for plan in file.plans] == [_DOCUMENT["plan"]]
    assert file.warnings == ("a warning",)
    assert file.platforms == platform_results(_DECIDED)


def test_each_of_several_targets_has_its_own_plan() -> None:
    document = _planned("reg.example/app:1", "reg.example/other/app:1")
    file = parse_plan(document, name="x")
    assert [str(plan.target) for plan in file.plans] == [
        "reg.example/app:1",
        "reg.example/other/app:1",
    ]
    assert file.plans[1].to_dict() == document["targets"][1]["plan"]


def test_the_job_of_a_plan_reads_its_images_and_writes_its_targets() -> None:
    job = parse_plan(_DOCUMENT, name="x").job(verify=False, delete_sources=True)
    assert job.read_in("reg.example") == ("app-amd64", "app-arm64", "app")
    assert job.written_in("reg.example") == ("app",)
    assert (job.verify, job.delete_sources, job.copy_layers) == (True, True, True)


def _at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        part: Any = document
        for key in parents:
            part = part[key]
        if value is _GONE:
            del part[last]
        else:
            part[last] = value(part[last]) if callable(value) else value

    return change


_GONE = object()


def _other_bytes(content: str) -> str:
    raw = base64.b64decode(content)
    return base64.b64encode(raw.replace(b"schemaVersion", b"schemaVersioN")).decode()


def _index_of(*digests: str) -> dict[str, Any]:
    text = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                entry
                for entry in json.loads(_DOCUMENT["plan"]["index"]["document"])["manifests"]
                if entry["digest"] in digests
            ],
        }
    )
    return {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        "size": len(text),
        "document": text,
    }


def _with_subject(index: dict[str, Any]) -> dict[str, Any]:
    fields = json.loads(index["document"])
    fields["subject"] = {**fields["manifests"][0]}
    text = json.dumps(fields)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return {**index, "document": text, "digest": digest, "size": len(text)}


_WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no plan": (_at("plan", _GONE), "not the result of a dry run"),
    "no version": (_at("plan.version", _GONE), "has the version None"),
    "a later version": (_at("plan.version", 2), "has the version 2"),
    "a version that is true": (_at("plan.version", True), "has the version True"),
    "a target without a tag": (_at("plan.target", "reg.example/app"), "has no tag"),
    "a target that is a flag": (_at("plan.target", "--help"), "not valid"),
    "another text of the index": (
        _at("plan.index.document", lambda text: text.replace("arm64", "arm65")),
        "is not what its digest",
    ),
    "a longer index": (_at("plan.index.document", lambda text: f"{text} "), "bytes, and not"),
    "an index that is no text": (_at("plan.index.document", "\ud800"), "not text"),
    "a digest of the index that is none": (_at("plan.index.digest", "sha256:1"), "is not a digest"),
    "another type of the index": (
        _at("plan.index.mediaType", "application/vnd.oci.image.manifest.v1+json"),
        "says",
    ),
    "an index that lists less": (
        _at("plan.index", _index_of(_AMD64.digest, _ARM64.digest, _OWN.digest)),
        "which its index does not list",
    ),
    "a manifest less": (_at("plan.own", []), "which the plan does not hold"),
    "other bytes of a manifest": (
        _at("plan.children.0.content", _other_bytes),
        "is not what its digest",
    ),
    "a manifest that is no base64": (_at("plan.own.0.content", "!"), "not base64"),
    "another size of a manifest": (_at("plan.own.0.size", 5), "bytes, and not 5"),
    "a negative size": (_at("plan.own.0.size", -1), "plan.own.0.size"),
    "a size as text": (_at("plan.own.0.size", "5"), "plan.own.0.size"),
    "a blob less": (_at("plan.mounts.0", _GONE), "does not bring"),
    "another size of a blob": (_at("plan.mounts.0.size", 1), "does not bring"),
    "a blob that a manifest does not name": (
        _at("plan.children.0.blobs.0", _OTHER),
        "does not bring",
    ),
    "a blob that none names": (
        _at(
            "plan.mounts",
            lambda mounts: [*mounts, {**mounts[0], "digest": _OTHER, "from": "app-amd64"}],
        ),
        "which none of its manifests names",
    ),
    "a blob of a strange repository": (
        _at("plan.mounts.0.from", "other/secrets"),
        "brings blobs from reg.example/other/secrets",
    ),
    "a repository that is a query": (_at("plan.mounts.0.from", "app-amd64&from=x"), "not valid"),
    "a tag that is none": (_at("plan.tags.1.name", "a/b"), "is not a tag"),
    "a tag that is there twice": (_at("plan.tags.1.name", "1"), "not each there once"),
    "no tags": (_at("plan.tags", []), "plan.tags"),
    "another tag first": (_at("plan.tags.0.name", "2"), "its own first"),
    "a source that is none": (_at("plan.sources.0.reference", "a b"), "not valid"),
    "a source without a tag": (
        _at("plan.sources.0.reference", "reg.example/app-amd64"),
        "neither a tag nor a digest",
    ),
    "a source with another digest": (
        _at("plan.sources.1.reference", f"reg.example/app-arm64@{_OTHER}"),
        "is said to be",
    ),
    "a source elsewhere without copies": (
        lambda document: (
            _at("plan.options.copyLayers", False)(document),
            _at("plan.sources.0.reference", "other.example/app-amd64:1")(document),
        )[0],
        "other.example",
    ),
    "referrers": (_at("plan.options.referrers", True), "--referrers"),
    "an index with a subject": (_at("plan.index", lambda index: _with_subject(index)), "--subject"),
    "no options": (_at("plan.options", _GONE), "plan.options"),
    "warnings that are no texts": (_at("warnings", [1]), "warnings.0"),
}


@pytest.mark.parametrize("wrong", _WRONG)
def test_what_is_wrong_with_a_plan_is_told_before_the_first_request(wrong: str) -> None:
    change, said = _WRONG[wrong]
    document = copy.deepcopy(_DOCUMENT)
    change(document)
    with pytest.raises(UsageError) as caught:
        parse_plan(document, name="plan.json")
    assert said in caught.value.message
    assert caught.value.message.startswith("the plan plan.json ")
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_the_plans_of_several_targets_are_for_one_index_and_repositories_of_their_own() -> None:
    document = _planned("reg.example/app:1", "reg.example/other/app:1")
    second = document["targets"][1]["plan"]
    with pytest.raises(UsageError, match="differ"):
        parse_plan(
            {**document, "targets": [{}, {"plan": {**second, "sources": []}}]}, name="plan.json"
        )
    with pytest.raises(UsageError, match="one repository"):
        parse_plan({**document, "targets": [{}, document["targets"][0]]}, name="plan.json")
    with pytest.raises(UsageError, match="no plan"):
        parse_plan({**document, "targets": [{}, {}]}, name="plan.json")


def test_the_error_of_a_run_is_no_plan_and_is_shown() -> None:
    error = {"kind": "NotFoundError", "message": "reg.example/app:1 is \x1b[31mgone", "hint": ""}
    with pytest.raises(UsageError, match=r"but an error: reg.example/app:1 is \\x1b\[31mgone"):
        parse_plan(error, name="plan.json")


@pytest.mark.parametrize("text", ["", "Digest: sha256:1", "[]", "1", "{", "[" * 100_000, "null"])
def test_what_is_no_document_is_no_plan(text: str) -> None:
    with pytest.raises(UsageError):
        load_plan(text, name="plan.json")


_PATHS = [
    *("plan", "targets", "platforms", "warnings", "plan.index", "plan.mounts", "plan.own.0"),
    *("plan.children.0.blobs", "plan.tags.0", "plan.standing", "plan.sources.0", "plan.expected"),
]


@given(
    st.sampled_from(_PATHS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
)
def test_whatever_stands_in_a_plan_is_read_or_refused_in_a_sentence(path: str, value: Any) -> None:
    document = copy.deepcopy(_DOCUMENT)
    _at(path, lambda _: value)(document)
    said = ""
    try:
        parse_plan(document, name="plan.json")
    except UsageError as error:
        said = error.message
    assert not has_controls(said)
