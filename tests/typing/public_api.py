"""A user of the public API, for the type checker alone: nothing here is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack, assert_type

import oci_merge
from oci_merge import (
    BatchImage,
    BatchResult,
    BatchStarted,
    ClientKeywords,
    ComponentsFound,
    CredentialExplanation,
    CredentialSource,
    Event,
    ImageFinished,
    ImageProgressed,
    ImageResult,
    InspectedImage,
    Inspection,
    MergeKeywords,
    MergeResult,
    OciMergeError,
    Plan,
    Platform,
    PlatformResult,
    PublishError,
    Reference,
    RegistryError,
    RegistryOptions,
    Retrying,
    Spec,
    StageAdvanced,
    StageStarted,
    TagMoved,
    TagResult,
    Verification,
    Warned,
)


def on_event(event: Event) -> None:
    """Tell the events apart."""
    match event:
        case StageStarted(stage=stage, total=total):
            assert_type(total, int)
            assert stage != "probe"
        case StageAdvanced(subject=subject):
            assert_type(subject, str)
        case ComponentsFound(references=references):
            assert_type(references, tuple[str, ...])
        case TagMoved(tag=tag, changed=changed):
            assert_type(tag, str)
            assert_type(changed, bool)
        case Retrying(subject=subject, reason=reason, seconds=seconds):
            assert_type(reason, str)
            assert_type(seconds, float)
        case Warned(message=message):
            assert_type(message, str)


def change_an_index() -> None:
    """Call what changes an index that exists."""
    assert_type(oci_merge.append("reg.example/app:1", sources=["reg.example/app:x"]), MergeResult)
    assert_type(oci_merge.remove("reg.example/app:1", platforms=["linux/arm64"]), MergeResult)
    annotated = oci_merge.annotate(
        "reg.example/app:1", annotations={"a": "1"}, remove_annotations=["b"], dry_run=True
    )
    assert_type(annotated, MergeResult)
    with oci_merge.Client() as client:
        assert_type(client.remove("reg.example/app:1", platforms=["linux/arm64"]), MergeResult)


def print_two(one: object, other: object) -> None:
    """Take more than an event."""


def join() -> None:
    """Join images, and look at what came of it."""
    result = oci_merge.merge(
        "reg.example/app:1.0",
        template="reg.example/app-ARCHVARIANT:1.0",
        platforms=["linux/amd64", "linux/arm/v7"],
        tags=("latest",),
        arch_aliases={"amd64": "x86_64"},
        annotations={"org.opencontainers.image.title": "app"},
        format="oci",
        platform_check="error",
        dry_run=True,
        username="ci",
        password="secret",
        plain_http=True,
        insecure=False,
        retries=0,
        timeout=1.5,
        deadline=60,
        ca_file=Path("ca.pem"),
        source_registry=RegistryOptions(insecure=True, docker_config=Path("config.json")),
        on_event=on_event,
    )
    assert_type(result, MergeResult)
    assert_type(result.digest, str)
    assert_type(result.platforms, tuple[PlatformResult, ...])
    assert_type(result.platforms[0].platform, Platform)
    assert_type(result.tags, tuple[TagResult, ...])
    assert_type(result.warnings, tuple[str, ...])
    assert_type(result.plan, Plan)
    assert_type(result.to_dict(), dict[str, Any])
    assert_type(oci_merge.merge("reg.example/app:1", sources=["reg.example/a:1"]), MergeResult)
    oci_merge.merge("reg.example/app:1", source_files=["digests/*", Path("a.json")])
    with open("digests", "rb") as opened:
        oci_merge.merge("reg.example/app:1", source_files=[opened], source_repository="a.example/b")
    parsed = oci_merge.parse_reference("reg.example/app:1")
    assert_type(oci_merge.merge(parsed, sources=(parsed for _ in "ab"), tags={"1"}), MergeResult)
    assert_type(oci_merge.merge(parsed, platforms=[Platform("linux", "amd64")]), MergeResult)


def explain() -> None:
    """Ask which credential would be used."""
    explained = oci_merge.explain_credentials("reg.example/app:1.0", docker_config="config.json")
    assert_type(explained, CredentialExplanation)
    assert_type(explained.sources, tuple[CredentialSource, ...])
    assert_type(explained.broken, CredentialSource | None)
    assert explained.kind != "nonsense"  # type: ignore[comparison-overlap]


async def join_in_a_loop() -> None:
    """Do the same where an event loop runs."""
    result = await oci_merge.merge_async(
        "reg.example/app:1.0", template="reg.example/app-ARCH:1.0", on_event=lambda event: None
    )
    assert_type(result, MergeResult)
    assert_type(await oci_merge.inspect_async("reg.example/app:1.0"), Inspection)


def publish_later() -> None:
    """Carry out a plan, and verify what is published."""
    planned = oci_merge.merge("reg.example/app:1.0", sources=["reg.example/a:1"], dry_run=True)
    assert_type(oci_merge.apply(planned), MergeResult)
    assert_type(oci_merge.apply(Path("plan.json"), verify=True), MergeResult)
    assert_type(oci_merge.apply(planned.to_dict(), delete_sources=True).deleted, tuple[str, ...])
    found = oci_merge.verify("reg.example/app:1.0", digest=planned.digest, platforms=["linux/arm"])
    assert_type(found, Verification)
    assert_type(found.platforms, tuple[Platform, ...])


def look() -> None:
    """Inspect an image."""
    inspection = oci_merge.inspect("reg.example/app:1.0")
    assert_type(inspection, Inspection)
    assert_type(inspection.content, bytes)
    assert_type(inspection.images, tuple[InspectedImage, ...])


def parse() -> None:
    """Use the small helpers."""
    assert_type(oci_merge.parse_reference("reg.example/app:1"), Reference)
    assert_type(oci_merge.printable("linux/amd64", limit=100), str)
    assert_type(oci_merge.printable_json({"a": [1]}), str)
    assert_type(oci_merge.parse_reference("reg.example/app:1").tag, str | None)
    assert_type(oci_merge.parse_spec("", name="spec.yml"), Spec)
    assert_type(oci_merge.parse_spec("", name="spec.yml").annotations, Mapping[str, str])
    assert_type(oci_merge.__version__, str)


def fail() -> None:
    """Catch what may go wrong."""
    try:
        join()
    except PublishError as error:
        assert_type(error.moved, tuple[str, ...])
    except RegistryError as error:
        assert_type(error.status, int)
        assert_type(error.codes, tuple[str, ...])
    except OciMergeError as error:
        assert_type(error.hint, str)


def misuse() -> None:
    """Make mistakes; an ignore that is not needed is an error to mypy, so each is one."""
    oci_merge.inspect()  # type: ignore[call-arg]
    oci_merge.merge("reg.example/app:1", usernam="ci")  # type: ignore[call-arg]
    oci_merge.merge("reg.example/app:1", templat="reg.example/app-ARCH:1")  # type: ignore[call-arg]
    oci_merge.merge("reg.example/app:1", concurrency=4)  # type: ignore[call-arg]
    oci_merge.merge("reg.example/app:1", retries="3")  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", ca_file=b"ca.pem")  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", on_event=print_two)  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", source_registry="reg")  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", format="OCI")  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", platform_check=True)  # type: ignore[arg-type]
    oci_merge.merge("reg.example/app:1", sources=[1])  # type: ignore[list-item]
    oci_merge.merge("reg.example/app:1", source_files=[1])  # type: ignore[list-item]
    oci_merge.merge("reg.example/app:1", annotations={"a": 1})  # type: ignore[dict-item]
    oci_merge.merge("reg.example/app:1", "reg.example/app-ARCH:1")  # type: ignore[call-arg]
    oci_merge.inspect("reg.example/app:1", template="a")  # type: ignore[call-arg]
    oci_merge.push("reg.example/app:1")  # type: ignore[arg-type]
    oci_merge.Client(usernam="ci")  # type: ignore[call-arg]
    oci_merge.Client(concurrency="4")  # type: ignore[arg-type]
    oci_merge.Client().merge("reg.example/app:1", tag=["1"])  # type: ignore[call-arg]
    oci_merge.Client().merge("reg.example/app:1", username="ci")  # type: ignore[call-arg]
    oci_merge.Client().push("reg.example/app:1")  # type: ignore[arg-type]
    RegistryOptions(usernam="ci")  # type: ignore[call-arg]
    RegistryOptions(timeout="10")  # type: ignore[arg-type]
    RegistryOptions().retries = 3  # type: ignore[misc]
    oci_merge.explain_credentials("reg.example/a:1", user="ci")  # type: ignore[call-arg]
    oci_merge.mergee("reg.example/app:1")  # type: ignore[attr-defined]
    oci_merge.parse_reference(b"reg.example/app:1")  # type: ignore[arg-type]
    Platform("linux", "amd64").os = "windows"  # type: ignore[misc]


def wrap(target: str, **keywords: Unpack[MergeKeywords]) -> MergeResult:
    """Hand on what a function of the user's own takes."""
    registry: ClientKeywords = {"username": "ci", "retries": 0}
    assert_type(RegistryOptions(**registry).ca_file, str | None)
    return oci_merge.merge(target, **keywords, **registry)


async def misuse_in_a_loop(client: oci_merge.AsyncClient) -> None:
    """Make mistakes where an event loop runs."""
    await oci_merge.merge_async("reg.example/app:1", usernam="ci")  # type: ignore[call-arg]
    await oci_merge.push_async(Spec("a", ()), list_type="auto")  # type: ignore[arg-type]
    await oci_merge.inspect_async("reg.example/app:1", shallow="no")  # type: ignore[arg-type]
    await client.merge("reg.example/app:1", sourcs=[])  # type: ignore[call-arg]
    await client.inspect(1)  # type: ignore[arg-type]


async def join_many(names: list[str]) -> None:
    """Join many images through one client."""
    async with oci_merge.AsyncClient(rate=10, concurrency=4) as client:
        result = await client.merge("reg.example/app:1", template="reg.example/app-ARCH:1")
        assert_type(result, MergeResult)
        assert_type(await client.inspect("reg.example/app:1"), Inspection)
    with oci_merge.Client(username="ci", password="p") as blocking:
        assert_type(blocking.merge("reg.example/app:1", sources=names), MergeResult)
        assert_type(blocking.inspect("reg.example/app:1", shallow=True), Inspection)


async def batch(variables: Mapping[str, str]) -> None:
    """Join the images of a file, and those of a list."""
    images = oci_merge.parse_batch("", name="images.yml", variables=variables)
    assert_type(images, tuple[BatchImage, ...])
    result = oci_merge.batch(images, shard="3/10", concurrency=4, on_event=on_batch_event)
    assert_type(result, BatchResult)
    assert_type(result.images, tuple[ImageResult, ...])
    assert_type(result.images[0].error, OciMergeError | None)
    assert_type(result.failed, int)
    listed = [{"target": "reg.example/app:1", "template": "reg.example/app-ARCH:1"}]
    assert_type(await oci_merge.batch_async(listed, dry_run=True), BatchResult)
    assert_type(await oci_merge.AsyncClient().batch([BatchImage(), *images]), BatchResult)
    assert_type(oci_merge.Client().batch(listed), BatchResult)
    oci_merge.batch(listed, shard=3)  # type: ignore[arg-type]
    oci_merge.batch(listed, tags=["1"])  # type: ignore[call-arg]
    oci_merge.batch([1])  # type: ignore[list-item]


def on_batch_event(event: Event) -> None:
    """Tell the events of a batch apart."""
    match event:
        case BatchStarted(total=total):
            assert_type(total, int)
        case ImageProgressed(name=name, progress=inner):
            assert_type(name, str)
            assert_type(inner, Event)
        case ImageFinished(image=image):
            assert_type(image, ImageResult)
