"""Command lines of manifest-tool's that were not recorded, each with what has to come of it.

A case is run on an embedded registry that holds the images of the corpus. Whatever it is about,
these hold too: stdout is the digest's line or nothing, stderr has warnings or one error with its
warnings, and a line for each retry; what fails publishes nothing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fixtures import media_types
from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.storage import StoredManifest
from fixtures.images import BuiltImage, BuiltIndex, digest_of
from fixtures.parity import load_images
from fixtures.recorded import RecordedItem
from tests.cli.running import Outcome
from tests.parity.running import run_here

TARGET = "team/out"
"""The repository to which every case publishes."""

#: What a run says of a retry; no error, hint or warning looks like it.
_RETRY = re.compile(r"(?!error: |hint: |warning: ).+; trying [A-Z]+ /\S* again in \d+\.\d s")

Source = Literal["observed", "code", "issue"]
Relation = Literal["same", "better", "different"]


@dataclass(frozen=True)
class Entry:
    """What an index has to list.

    Args:
        image: where it is, as `REPOSITORY:TAG`, or the image itself.
        platform: `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
        os_version: the platform's `os.version`.
        os_features: the platform's `os.features`.
        annotations: the descriptor's annotations.
    """

    image: str | BuiltImage
    platform: str
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Index:
    """What has to be published.

    Args:
        entries: what it lists, in order.
        oci: an OCI index rather than a Docker list.
        annotations: its annotations.
        tags: under which tags it has to stand.
    """

    entries: Sequence[Entry]
    oci: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    tags: tuple[str, ...] = ("1.0",)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command line, what has to come of it, and how that is known.

    Args:
        name: what is special about it.
        source: how it is known what manifest-tool does: it was `observed`, its `code` says so, or
            it stands in an `issue` that users opened.
        there: what manifest-tool does, in a sentence.
        relation: whether oci-merge does the `same`, something `better`, or something `different`.
        argv: the command line, with `$REG` and `$DIR`.
        images: what is put into the registry first, by `REPOSITORY:TAG`.
        spec: the content of `$DIR/spec.yml`, with `$REG`.
        exit: the exit status.
        index: what has to be published, None for nothing.
        says: what stderr has to say, each in a line of its own or not.
        requests: how many requests may be sent, None for any number.
    """

    name: str
    source: Source
    there: str
    relation: Relation = "same"
    argv: str
    images: Mapping[str, BuiltImage | BuiltIndex] = field(default_factory=dict, hash=False)
    spec: str = ""
    exit: int = 0
    index: Index | None = None
    says: tuple[str, ...] = ()
    requests: int | None = None

    def __str__(self) -> str:
        return self.name


def from_args(platforms: str, template: str, *more: str, target: str = f"{TARGET}:1.0") -> str:
    """Return the command line of a `push from-args`.

    Args:
        platforms: the value of `--platforms`.
        template: the value of `--template`, without the registry.
        more: what follows.
        target: the value of `--target`, without the registry.
    """
    return shlex.join(
        [
            *("push", "from-args", "--platforms", platforms),
            *("--template", f"$REG/{template}", "--target", f"$REG/{target}"),
            *more,
        ]
    )


def corpus_registry() -> EmbeddedRegistry:
    """Return a registry that holds the images of the corpus."""
    registry = EmbeddedRegistry()
    for image in _corpus():
        for blob in image.blobs:
            registry.storage.put_blob(image.repository, digest_of(blob), blob)
        manifest = StoredManifest(image.digest, image.media_type, image.manifest)
        tags = [] if image.reference == image.digest else [image.reference]
        registry.storage.put_manifest(image.repository, manifest, tags)
    return registry


def prepare(case: Case, registry: EmbeddedRegistry, host: str, folder: Path) -> list[str]:
    """Put a case's images and its spec in place.

    Args:
        case: the case.
        registry: the registry.
        host: its `HOST:PORT`.
        folder: where the spec goes.

    Returns:
        The arguments, ready to run.
    """
    for place, image in case.images.items():
        repository, _, tag = place.rpartition(":")
        registry.add_image(repository, tag, image)
    (folder / "spec.yml").write_text(case.spec.replace("$REG", host))
    words = shlex.split(case.argv)
    return [word.replace("$REG", host).replace("$DIR", str(folder)) for word in words]


def check(case: Case, registry: EmbeddedRegistry, host: str, folder: Path) -> Outcome:
    """Run a case and check all that it promises.

    Args:
        case: the case.
        registry: the registry, which nobody else uses.
        host: its `HOST:PORT`.
        folder: an empty folder.

    Returns:
        How the program ended and what it printed.
    """
    outcome = run_here(*prepare(case, registry, host, folder))
    assert outcome.status == case.exit, outcome.stderr
    check_stderr(outcome, case.says)
    if case.index is None:
        assert TARGET not in registry.storage.repositories or not tags_of(registry)
    else:
        check_published(case.index, registry, outcome)
    if case.requests is not None:
        assert len(registry.requests) == case.requests, registry.requests
    return outcome


def check_stderr(outcome: Outcome, says: Sequence[str] = ()) -> None:
    """Check that stderr is in good order and says what it shall, and nothing where that is nothing.

    Args:
        outcome: how the program ended and what it printed.
        says: what has to stand there.
    """
    missing = [words for words in says if words not in outcome.stderr]
    assert missing == [], outcome.stderr
    lines = [line for line in outcome.errors if not _RETRY.fullmatch(line)]
    kinds = [line.partition(":")[0] for line in lines if not line.startswith("warning: ")]
    if outcome.status == 0:
        assert kinds == []
        assert bool(lines) == bool(says)
    elif outcome.status == 1:
        assert kinds in (["error"], ["error", "hint"])
        assert "an internal error" not in outcome.stderr
        assert outcome.stdout == ""


def check_published(index: Index, registry: EmbeddedRegistry, outcome: Outcome) -> None:
    """Check that an index stands at the target under its tags, byte for byte.

    Args:
        index: the index.
        registry: the registry.
        outcome: what the program printed.
    """
    body = index_bytes(index, registry)
    tags = tags_of(registry)
    published = registry.storage.manifest(TARGET, index.tags[0])
    assert published is not None
    assert published.content.decode() == body.decode()
    assert published.media_type == (media_types.OCI_INDEX if index.oci else media_types.DOCKER_LIST)
    assert tags == dict.fromkeys(index.tags, digest_of(body))
    assert outcome.stdout == f"Digest: {digest_of(body)} {len(body)}\n"


def tags_of(registry: EmbeddedRegistry) -> dict[str, str]:
    """Return the tags of the target's repository."""
    return dict(registry.storage.repositories[TARGET].tags)


def index_bytes(index: Index, registry: EmbeddedRegistry) -> bytes:
    """Write an index as manifest-tool does.

    Args:
        index: the index.
        registry: holds the images that it lists.
    """
    kind = media_types.OCI_INDEX if index.oci else media_types.DOCKER_LIST
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": kind,
        "manifests": [_descriptor(entry, index.oci, registry) for entry in index.entries],
    }
    if index.annotations:
        document["annotations"] = dict(sorted(index.annotations.items()))
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _descriptor(entry: Entry, oci: bool, registry: EmbeddedRegistry) -> dict[str, Any]:
    if isinstance(entry.image, BuiltImage):
        kind, content = entry.image.media_type, entry.image.manifest
    else:
        held = registry.storage.manifest(*entry.image.rsplit(":", 1))
        assert held is not None
        kind, content = held.media_type, held.content
    identity = {"digest": digest_of(content), "size": len(content)}
    descriptor: dict[str, Any] = {"mediaType": kind}
    for name in ("digest", "size") if oci else ("size", "digest"):
        descriptor[name] = identity[name]
    if entry.annotations:
        descriptor["annotations"] = dict(sorted(entry.annotations.items()))
    os, architecture, *variant = entry.platform.split("/")
    platform: dict[str, Any] = {"architecture": architecture, "os": os}
    if entry.os_version:
        platform["os.version"] = entry.os_version
    if entry.os_features:
        platform["os.features"] = list(entry.os_features)
    if variant:
        platform["variant"] = variant[0]
    return descriptor | {"platform": platform}


@cache
def _corpus() -> tuple[RecordedItem, ...]:
    return tuple(load_images())
