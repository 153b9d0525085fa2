"""Reads the document of a dry run, and checks that it is a plan that can be carried out. Pure.

A plan may have been through many hands: every digest, size and name in it is checked before the
first request, and so is that the index lists exactly the manifests that the plan holds.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from pydantic import ValidationError

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import OciMergeError, UsageError
from oci_merge.model.digest import verify_digest
from oci_merge.model.index import IndexDocument
from oci_merge.model.manifest import (
    MAX_DOCUMENT,
    Blob,
    ImageIndex,
    ImageManifest,
    Manifest,
    parse_manifest,
)
from oci_merge.model.platform import Platform
from oci_merge.model.reference import check_tag, parse_reference
from oci_merge.planning.job import Job, Source, Target
from oci_merge.planning.plan import PLAN_VERSION, Manner, Plan, PlannedSource
from oci_merge.planning.plan_document import (
    BlobPart,
    ChildPart,
    Document,
    PlanPart,
    TransfersPart,
)
from oci_merge.planning.result import PlatformResult
from oci_merge.planning.targets import check_target
from oci_merge.planning.transfers import Child, Copy, Mount, Transfers

#: The most bytes of a plan. One of 1000 images of ten targets has less.
MOST_BYTES = 128 * 1024 * 1024

#: Why a tag is not moved that the plan keeps; the dry run has said it in full.
_KEPT = "it was newer when the plan was made"
_HINT = "make it with oci-merge ... --dry-run --output json > plan.json"


@frozen(eq=False)
class PlanFile:
    """A plan that was read from a document, with every digest and name checked.

    Attributes:
        plans: the plan of each target, as it was when it was made.
        platforms: the images of the index.
        warnings: the warnings of the dry run.
    """

    plans: tuple[Plan, ...]
    platforms: tuple[PlatformResult, ...]
    warnings: tuple[str, ...]

    @property
    def first(self) -> Plan:
        """The plan of the first target."""
        return self.plans[0]

    def job(self, *, verify: bool, delete_sources: bool) -> Job:
        """Return the job that the plan was made for, as far as carrying it out needs it.

        Args:
            verify: verify also where the plan does not say so.
            delete_sources: delete the tags of the images also where it does not.
        """
        manner = self.first.manner
        deletes = delete_sources or manner.delete_sources
        return Job(
            targets=tuple(Target(plan.target, plan.tags) for plan in self.plans),
            sources=tuple(Source(source.reference) for source in self.first.sources),
            candidates=(),
            annotations={},
            format="auto",
            # A plan does not say which platforms were asked for, so verification warns of all.
            platform_check="warn",
            warnings=(),
            copy_layers=manner.copy_layers,
            verify=verify or manner.verify or deletes,
            delete_sources=deletes,
        )


def load_plan(text: str, *, name: str) -> PlanFile:
    """Read a plan from its text.

    Args:
        text: the JSON that a dry run wrote.
        name: the file's name, for errors.

    Raises:
        UsageError: it is no plan, or does not hold what its digests name.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"the plan {name} is not JSON", hint=_HINT) from None
    return parse_plan(document, name=name)


def parse_plan(document: object, *, name: str) -> PlanFile:
    """Read a plan from JSON values, as ``MergeResult.to_dict`` makes them of a dry run.

    Args:
        document: the values.
        name: what to call the plan in errors.

    Raises:
        UsageError: it is no plan, or does not hold what its digests name.
    """
    _check_kind(document, name)
    try:
        read = Document.model_validate(document)
    except (ValidationError, RecursionError) as error:
        raise _unreadable(name, error) from None
    try:
        return _plan_file(read)
    except OciMergeError as error:
        raise UsageError(f"the plan {name} is not valid: {error.message}", hint=_HINT) from error


def _check_kind(document: object, name: str) -> None:
    """Check that this is a plan of the version that is known.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(document, Mapping):
        raise UsageError(f"the plan {name} is not the result of a dry run", hint=_HINT)
    plan = document.get("plan")
    if not isinstance(plan, Mapping):
        message = document.get("message")
        said = f", but an error: {printable(str(message))}" if message else ""
        raise UsageError(f"the plan {name} is not the result of a dry run{said}", hint=_HINT)
    version = plan.get("version")
    if version != PLAN_VERSION or isinstance(version, bool):
        raise UsageError(
            f"the plan {name} has the version {printable(str(version), limit=40)}, "
            f"and {PLAN_VERSION} is the one that is known",
            hint="make and apply a plan with the same version of oci-merge",
        )


def _unreadable(name: str, error: Exception) -> UsageError:
    if not isinstance(error, ValidationError):
        return UsageError(f"the plan {name} is nested too deeply", hint=_HINT)
    first = error.errors(include_url=False, include_input=False)[0]
    place = printable(".".join(str(part) for part in first["loc"]))
    return UsageError(
        f"the plan {name} cannot be read at {place}: {printable(first['msg'])}", hint=_HINT
    )


def _plan_file(read: Document) -> PlanFile:
    parts = [target.plan or (read.plan if not n else None) for n, target in enumerate(read.targets)]
    if not parts or None in parts:
        raise UsageError("a target has no plan")
    plans = tuple(_plan(part) for part in parts if part is not None)
    names = [plan.target.name for plan in plans]
    if len(set(names)) < len(names):
        raise UsageError("two plans are for one repository")
    first = plans[0]
    for plan in plans:
        alike = plan.index.content == first.index.content and plan.sources == first.sources
        if not alike or plan.manner != first.manner:
            raise UsageError(f"the plans of {first.target} and {plan.target} differ")
        _check_places(plan, {each.target.name for each in plans})
    if first.manner.referrers:
        raise UsageError(
            "it was made with --referrers, and holds none of the referrers: run the merge itself"
        )
    if first.manner.attaches:
        raise UsageError(
            "it was made with --sign, --provenance or --carry-signatures, and holds neither a key "
            "nor signatures: run the merge itself"
        )
    if json.loads(first.index.content).get("subject"):
        raise UsageError(
            "its index refers to another image (--subject), and a plan does not hold the list of "
            "what refers to that: run the merge itself"
        )
    return PlanFile(plans, _platforms(read, first), tuple(read.warnings))


def _plan(part: PlanPart) -> Plan:
    """Return a plan, checked by itself."""
    target = check_target(part.target)
    index, manifest = _index(part)
    own = tuple(_child(child) for child in part.own)
    tags = tuple(check_tag(tag.name) for tag in part.tags)
    if len(set(tags)) < len(tags) or tags[0] != target.tag:
        raise UsageError(f"the tags of {target} are not each there once, its own first")
    plan = Plan(
        target=target,
        index=index,
        transfers=_transfers(part),
        tags=tags,
        unchanged=frozenset(tag.name for tag in part.tags if not tag.changed),
        expected=_transfers(part.expected),
        kept={tag.name: _KEPT for tag in part.tags if tag.kept},
        force=part.options.force,
        own=own,
        stays=tuple(part.stays),
        standing={tag: digest for tag, digest in part.standing.items() if digest},
        unreadable=frozenset(tag for tag in tags if tag not in part.standing),
        sources=tuple(_source(each.reference, each.digest) for each in part.sources),
        manner=Manner(
            copy_layers=part.options.copyLayers,
            verify=part.options.verify,
            delete_sources=part.options.deleteSources,
            referrers=part.options.referrers,
            force=part.options.force,
            attaches=part.options.attaches,
        ),
    )
    _check_manifests(plan, manifest)
    _check_blobs(plan)
    return plan


def _index(part: PlanPart) -> tuple[IndexDocument, ImageIndex]:
    try:
        content = part.index.document.encode()
    except UnicodeEncodeError:
        raise UsageError("its index is not text") from None
    what = f"the index of {part.target}"
    _check_content(content, part.index.digest, part.index.size, what)
    parsed = parse_manifest(
        content, content_type=part.index.mediaType, digest=part.index.digest, what=what
    )
    if not isinstance(parsed.document, ImageIndex):
        raise UsageError(f"{what} is not an index")
    index = IndexDocument(parsed.media_type, content)
    if index.digest != part.index.digest:
        raise UsageError(f"{what} is not named by its sha256 digest")
    return index, parsed.document


def _check_content(content: bytes, digest: str, size: int, what: str) -> None:
    if len(content) > MAX_DOCUMENT:
        raise UsageError(f"{what} has {len(content)} bytes, {MAX_DOCUMENT} are allowed")
    if len(content) != size:
        raise UsageError(f"{what} has {len(content)} bytes, and not {size}")
    try:
        verify_digest(content, digest, what=what)
    except OciMergeError:
        raise UsageError(f"{what} is not what its digest {digest} names") from None


def _child(part: ChildPart) -> Child:
    what = f"the manifest {part.digest}"
    try:
        content = base64.b64decode(part.content, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{what} is not base64") from None
    _check_content(content, part.digest, part.size, what)
    manifest = parse_manifest(
        content, content_type=part.mediaType, digest=part.digest, what=part.digest
    )
    if not isinstance(manifest.document, ImageManifest):
        raise UsageError(f"{what} is an index, and no image")
    return Child(manifest, part.source, tuple(part.blobs))


def _transfers(part: TransfersPart) -> Transfers:
    return Transfers(
        tuple(_mount(blob) for blob in part.mounts),
        tuple(_child(child) for child in part.children),
        tuple(_copy(blob) for blob in part.copies),
    )


def _mount(part: BlobPart) -> Mount:
    return Mount(part.digest, part.size, part.mediaType, part.source, part.role, part.foreign)


def _copy(part: BlobPart) -> Copy:
    at = parse_reference(part.source)
    if at.tag or at.digest:
        raise UsageError(f"the blob {part.digest} comes from {part.source!r}, no repository")
    return Copy(part.digest, part.size, part.mediaType, at.registry, at.repository, part.foreign)


def _source(text: str, digest: str) -> PlannedSource:
    reference = parse_reference(text)
    if not reference.tag and not reference.digest:
        raise UsageError(f"the image {reference} has neither a tag nor a digest")
    if reference.digest and reference.digest != digest:
        raise UsageError(f"the image {reference} is said to be {digest}")
    return PlannedSource(reference, digest)


def _check_manifests(plan: Plan, index: ImageIndex) -> None:
    """Check that the index lists exactly the manifests that the plan holds."""
    held = plan.manifests
    writes = len(plan.kept) < len(plan.tags)
    for entry in index.manifests:
        child = held.get(entry.digest)
        if child is None and (entry.digest in plan.stays or not writes):
            continue
        if child is None:
            raise UsageError(f"its index lists {entry.digest}, which the plan does not hold")
        said = (entry.media_type, entry.size)
        if said != (child.manifest.media_type, child.manifest.size):
            raise UsageError(f"its index says another type or size of {entry.digest}")
    if extra := {*held, *plan.stays} - {entry.digest for entry in index.manifests}:
        raise UsageError(f"it holds {min(extra)}, which its index does not list")


def _check_blobs(plan: Plan) -> None:
    """Check that each manifest gets the blobs that it names, and no others."""
    present = {blob.digest for child in plan.own for blob in _blobs(child.manifest)}
    for transfers in (plan.transfers, plan.expected):
        moved = {mount.digest: mount.size for mount in transfers.mounts}
        moved |= {copy.digest: copy.size for copy in transfers.copies}
        if len(moved) < len(transfers.mounts) + len(transfers.copies):
            raise UsageError("it brings a blob twice")
        needed: set[str] = set()
        for child in transfers.children:
            named = {blob.digest: blob.size for blob in _blobs(child.manifest)}
            for digest in child.blobs:
                if digest not in named or moved.get(digest) != named[digest]:
                    raise UsageError(f"it does not bring {digest} of {child.manifest.digest}")
            if lacking := named.keys() - set(child.blobs) - present:
                raise UsageError(f"it does not bring {min(lacking)} of {child.manifest.digest}")
            needed |= named.keys()
        if extra := moved.keys() - needed:
            raise UsageError(f"it brings {min(extra)}, which none of its manifests names")


def _blobs(manifest: Manifest) -> list[Blob]:
    document = manifest.document
    assert isinstance(document, ImageManifest)
    return [*([document.config] if document.config else []), *document.layers]


def _check_places(plan: Plan, targets: set[str]) -> None:
    """Check that blobs come from repositories of the images, and only if they may from elsewhere.

    Raises:
        UsageError: one does not.
    """
    known = {source.reference.name for source in plan.sources} | targets
    registry = plan.target.registry
    elsewhere = [one.reference for one in plan.sources if one.reference.registry != registry]
    if elsewhere and not plan.manner.copy_layers:
        raise UsageError(f"{elsewhere[0]} is in another registry than {plan.target}")
    for transfers in (plan.transfers, plan.expected):
        places = {f"{registry}/{mount.source}" for mount in transfers.mounts}
        places |= {f"{copy.registry}/{copy.source}" for copy in transfers.copies}
        if unknown := places - known:
            raise UsageError(
                f"it brings blobs from {printable(min(unknown))}, where none of its images is"
            )
        if transfers.copies and not plan.manner.copy_layers:
            raise UsageError("it copies blobs, but was made without --copy-layers")


def _platforms(read: Document, plan: Plan) -> tuple[PlatformResult, ...]:
    """Return the images of the index; the document says of them where they came from."""
    said = {image.digest: image for image in read.platforms}
    manifest = parse_manifest(
        plan.index.content,
        content_type=plan.index.media_type,
        digest=plan.index.digest,
        what=str(plan.target),
    )
    assert isinstance(manifest.document, ImageIndex)
    entries = manifest.document.manifests
    listed = {entry.digest for entry in entries}
    return tuple(
        PlatformResult(
            platform=entry.platform.to_platform() if entry.platform else Platform("", ""),
            digest=entry.digest,
            size=entry.size,
            media_type=entry.media_type,
            source=printable(image.source) if image else "",
            attestations=tuple(one for one in image.attestations if one in listed) if image else (),
        )
        for entry in entries
        if not entry.is_companion
        for image in (said.get(entry.digest),)
    )
