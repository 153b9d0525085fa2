"""Images that builders pushed, as their files name them: where each is to be fetched. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from oci_merge.errors import UsageError
from oci_merge.model.reference import Reference


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that a builder pushed.

    Attributes:
        digest: the digest of its manifest, or of its index.
        names: where it was pushed, with the tags that it got; empty where the file does not say.
        origin: the file that says it, printable.
    """

    digest: str
    names: tuple[Reference, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class BuilderOutput:
    """What one file says.

    Attributes:
        images: the images, in the order of the file.
        image_ids: digests of configs, which docker calls the images' IDs.
    """

    images: tuple[BuiltImage, ...]
    image_ids: frozenset[str] = frozenset()


def distinct_images(outputs: Iterable[BuilderOutput]) -> tuple[BuiltImage, ...]:
    """Return the images of several files, each once, in the order of their first mention.

    Args:
        outputs: what the files say.

    Raises:
        UsageError: a file has the ID of an image, by what another one says of it, where the digest
            of the manifest belongs.
    """
    images: dict[str, BuiltImage] = {}
    image_ids: set[str] = set()
    for output in outputs:
        image_ids |= output.image_ids
        for image in output.images:
            known = images.setdefault(image.digest, image)
            names = dict.fromkeys((*known.names, *image.names))
            images[image.digest] = replace(known, names=tuple(names))
    for image in images.values():
        if image.digest in image_ids:
            raise UsageError(
                f"{image.origin} holds the ID of an image, and not its digest",
                hint="an ID (--iidfile, jib-image.id) names a config: give the file of the digest",
            )
    return tuple(images.values())


def locate(
    image: BuiltImage, repository: Reference | None, targets: Iterable[Reference]
) -> Reference:
    """Return where to fetch an image: its repository and digest, whatever its tags point to now.

    An image that was pushed to several repositories is taken from the one named for bare digests,
    else from a target's, else from one in a target's registry, whence nothing has to be copied.

    Args:
        image: the image.
        repository: where the images are whose files do not say it.
        targets: the targets of the merge.

    Raises:
        UsageError: neither the file nor ``repository`` says where the image is.
    """
    places = dict.fromkeys(Reference(name.registry, name.repository) for name in image.names)
    if not places:
        if repository is None:
            raise UsageError(
                f"{image.origin} has a digest, but not the repository that it is in",
                hint="name the repository with --source-repository reg.example/app "
                "(source_repository in Python)",
            )
        return replace(repository, digest=image.digest)
    homes = [target.name for target in targets]
    registries = [target.registry for target in targets]
    best = min(
        places,
        key=lambda place: (
            place != repository,
            place.name not in homes,
            place.registry not in registries,
        ),
    )
    return replace(best, digest=image.digest)


def is_bare_digest(text: str) -> bool:
    """Say whether a text that names an image is a digest alone, right or wrong."""
    return text.startswith(("sha256:", "sha512:")) and "/" not in text
