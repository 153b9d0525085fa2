"""A merge whose every name has been checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oci_merge._frozen import frozen
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.options import Attestations, ListFormat, PlatformCheck
from oci_merge.planning.annotations import EntryAnnotation
from oci_merge.planning.signing import SignWish

#: A Docker manifest list has no room for annotations, be that known before or after reading.
NO_ANNOTATIONS = "a Docker manifest list cannot carry annotations"

NO_ANNOTATIONS_HINT = (
    "make an OCI index (--format oci, or push --type oci), or leave the annotations out"
)

#: What users write for an architecture, and what it is called in the names of most images.
_USUAL_NAMES = {
    **dict.fromkeys(("x86_64", "x86-64", "x64"), "amd64"),
    "aarch64": "arm64",
    "i386": "386",
    **dict.fromkeys(("armhf", "armv7", "armv7l"), "arm/v7"),
}


@frozen
class Source:
    """An image to join.

    Attributes:
        reference: where it is.
        platform: the platform asked for, or None where the image itself says it.
        named: what its name says of its platform, where it was found by that; see ``Candidate``.
        among: the platforms to select from an index; empty for all that it lists.
        is_optional: whether it is left out where it is not there.
        origin: the file of a builder that names it, or an empty string.
    """

    reference: Reference
    platform: Platform | None = None
    named: Platform | None = None
    among: tuple[Platform, ...] = ()
    is_optional: bool = False
    origin: str = ""


def missing_hint(missing: Iterable[Source]) -> str:
    """Return what to do where images are missing, or an empty string.

    Args:
        missing: images that are not there.
    """
    for source in missing:
        if source.reference.digest:
            said = f"{source.origin} has this digest: " if source.origin else ""
            return (
                f"{said}check that the image was pushed there, that it is no image ID (--iidfile), "
                "and that the credentials may see it"
            )
    return spelling_hint(missing)


def spelling_hint(missing: Iterable[Source]) -> str:
    """Return what to ask for where images are missing whose names have an unusual architecture.

    Args:
        missing: images that are not there.
    """
    for source in missing:
        spelled = source.platform.architecture if source.platform else ""
        usual = _USUAL_NAMES.get(spelled.lower())
        if usual and source.platform and spelled in str(source.reference):
            return (
                f"ask for {source.platform.os}/{usual} where the names have {usual}; "
                f"{spelled} goes into them as it is written (or see --arch-alias)"
            )
    return ""


@frozen
class Target:
    """A repository to publish to.

    Attributes:
        reference: the repository, with the first of the tags.
        tags: every tag to publish there, that of the reference first, each once.
    """

    reference: Reference
    tags: tuple[str, ...]


@frozen(kw_only=True)
class Safety:
    """What has to hold before a tag moves; see ``options.SafetyKeywords``.

    Attributes:
        require: platforms that the index must have.
        require_same: labels on whose values all images must agree.
        no_shrink: whether a tag may not lose a platform.
        only_newer: ``version``, ``created`` or a label, by which a tag only moves forward; empty
            where it may move in any case.
        force: whether tags are put that point to the index already.
    """

    require: tuple[Platform, ...] = ()
    require_same: tuple[str, ...] = ()
    no_shrink: bool = False
    only_newer: str = ""
    force: bool = False

    @property
    def is_asked(self) -> bool:
        """Whether something is checked, before anything is written."""
        return bool(self.require or self.require_same) or self.looks_back

    @property
    def looks_back(self) -> bool:
        """Whether what the tags point to now is compared with the new index."""
        return self.no_shrink or bool(self.only_newer)


@frozen(kw_only=True)
class Job:
    """A merge whose every name has been checked.

    Attributes:
        targets: where to publish, each repository once; the first is the one to name in messages.
        sources: the images to join, in order; empty where they have to be looked for.
        candidates: where to look for images; empty where ``sources`` says it.
        annotations: annotations of the index.
        format: the kind of index, see ``options.ResultKeywords``.
        platform_check: what to do where an image contradicts the platform asked for.
        warnings: what the user should know, in sentences.
        as_written: publish platforms as the configs write them, rather than in normal form.
        ignore_missing: leave out images that are not there.
        copy_layers: copy blobs that cannot be mounted; images may be in other registries.
        optional: platforms whose images are left out where they are not there.
        wait: how many seconds to wait for images that are not there yet; 0 for not at all.
        attestations: whether what source indexes list beside images is kept.
        referrers: whether what refers to the images is brought along.
        annotations_from_labels: whether labels that the images share annotate the index.
        artifact_type: the artifact type of the index, or an empty string.
        subject: the manifest that the index refers to.
        entry_annotations: annotations of entries of the index.
        append: whether the other entries of the target's present index are kept.
        verify: whether everything is read again once it is published.
        delete_sources: whether the tags of the images are deleted then.
        safety: what has to hold before a tag moves.
        sign: how what is published is signed; None where it is not.
        verify_keys: where the keys are by one of which every image must be signed.
        carry_signatures: whether signatures of the images are brought along.
        provenance: whether the index gets a statement of what it was made of.
    """

    targets: tuple[Target, ...]
    sources: tuple[Source, ...]
    candidates: tuple[Candidate, ...]
    annotations: Mapping[str, str]
    format: ListFormat
    platform_check: PlatformCheck
    warnings: tuple[str, ...]
    as_written: bool = False
    ignore_missing: bool = False
    copy_layers: bool = False
    optional: tuple[Platform, ...] = ()
    wait: float = 0
    attestations: Attestations = "keep"
    referrers: bool = False
    annotations_from_labels: bool = False
    artifact_type: str = ""
    subject: Reference | None = None
    entry_annotations: tuple[EntryAnnotation, ...] = ()
    append: bool = False
    verify: bool = False
    delete_sources: bool = False
    safety: Safety = Safety()
    sign: SignWish | None = None
    verify_keys: tuple[str, ...] = ()
    carry_signatures: bool = False
    provenance: bool = False

    @property
    def target(self) -> Reference:
        """The first target."""
        return self.targets[0].reference

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the first target."""
        return self.targets[0].tags

    @property
    def needs_trust(self) -> bool:
        """Whether something is signed, stated or verified."""
        return self.provenance or self.sign is not None or bool(self.verify_keys)

    @property
    def reads_labels(self) -> bool:
        """Whether the labels of all images are read."""
        safety = self.safety
        return self.annotations_from_labels or bool(safety.require_same or safety.only_newer)

    @property
    def references(self) -> list[Reference]:
        """Where images are, or are looked for."""
        references = [source.reference for source in self.sources]
        return references + [candidate.reference for candidate in self.candidates]

    @property
    def registries(self) -> tuple[str, ...]:
        """The registries of the targets and of the images, each once, the first target's first."""
        targets = [target.reference for target in self.targets]
        return tuple(dict.fromkeys(each.registry for each in (*targets, *self.references)))

    @property
    def repositories(self) -> tuple[str, ...]:
        """The repositories that are read, each once, in order."""
        return tuple(dict.fromkeys(reference.repository for reference in self.references))

    def read_in(self, registry: str) -> tuple[str, ...]:
        """Return the repositories of a registry that are read, each once."""
        here = [reference for reference in self.references if reference.registry == registry]
        return tuple(dict.fromkeys(reference.repository for reference in here))

    def written_in(self, registry: str) -> tuple[str, ...]:
        """Return the repositories of a registry that are written to."""
        targets = [target.reference for target in self.targets]
        return tuple(target.repository for target in targets if target.registry == registry)


@frozen
class Candidate:
    """A reference that a template gives, and the known platforms that give it.

    Attributes:
        reference: where an image may be.
        platforms: one or more; several where the template leaves a part of them out.
        named: the parts of the platform that the template puts into the reference, such as the
            architecture alone; None where that is not among them.
    """

    reference: Reference
    platforms: tuple[Platform, ...]
    named: Platform | None = None
