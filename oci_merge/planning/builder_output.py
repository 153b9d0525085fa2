"""Images that builders pushed, as their files name them: where each is to be fetched. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model.digest import check_digest
from oci_merge.model.reference import Reference, parse_reference

_NAME_IT = (
    "name the repository with --source-repository reg.example/app (source_repository in Python)"
)


@frozen
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


@frozen
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
                f"{image.origin} has a digest, but not the repository that it is in", hint=_NAME_IT
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


def parse_repository(text: str) -> Reference:
    """Return the repository of images of which only the digest is known.

    Raises:
        UsageError: the text is no repository, or has a tag or a digest.
    """
    if not text:
        raise UsageError(
            "the source repository is empty",
            hint="write it like reg.example/app; perhaps the variable for it is empty",
        )
    repository = parse_reference(text)
    if repository.tag or repository.digest:
        raise InvalidReferenceError(
            f"the source repository {printable(text)!r} has "
            f"{'a digest' if repository.digest else 'a tag'}",
            hint=f"write {repository.name}: which image it is, the digests say",
        )
    return repository


def in_repository(digest: str, repository: Reference | None) -> Reference:
    """Return a source that was given as a digest alone.

    Raises:
        UsageError: it is no digest, or the repository is not known.
    """
    check_digest(digest)
    if repository is None:
        raise UsageError(
            f"the source {digest} is a digest, and says nothing of its repository", hint=_NAME_IT
        )
    return replace(repository, digest=digest)
