"""What becomes of a batch: its events while it runs, and its result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from oci_merge._frozen import frozen
from oci_merge.errors import OciMergeError
from oci_merge.events import Event
from oci_merge.planning.result import MergeResult

Status = Literal["published", "unchanged", "kept", "failed"]


@frozen(eq=False)
class ImageResult:
    """What became of one image of a batch. It keeps no plan: a batch may have thousands.

    Attributes:
        name: its name, or its target where it has none.
        target: the reference of its first target.
        digest: the index's digest; empty if it failed.
        changed: whether a tag moved; in a dry run, whether one would.
        kept: whether every tag stays where it is, since that is newer (``only_newer``).
        warnings: what the user should know, in sentences.
        document: ``MergeResult.to_dict`` of the merge; empty if it failed.
        error: why it failed.
    """

    name: str
    target: str
    digest: str = ""
    changed: bool = False
    kept: bool = False
    warnings: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    error: OciMergeError | None = None

    @property
    def status(self) -> Status:
        """What became of it; in a dry run, ``published`` is what would become of it."""
        if self.error is not None:
            return "failed"
        if self.kept:
            return "kept"
        return "published" if self.changed else "unchanged"

    def to_dict(self) -> dict[str, Any]:
        """Return the image as JSON values: its name, status, and the merge's result or error."""
        document: dict[str, Any] = {"name": self.name, "status": self.status}
        if self.error is None:
            return document | dict(self.document)
        return document | {"target": self.target, "error": self.error.to_dict()}


def image_result(name: str, result: MergeResult) -> ImageResult:
    """Return what to keep of a merge that is done."""
    return ImageResult(
        name=name,
        target=result.target,
        digest=result.digest,
        changed=result.changed,
        kept=all(tag.kept for target in result.targets for tag in target.tags),
        warnings=result.warnings,
        document=result.to_dict(),
    )


@frozen(eq=False)
class BatchResult:
    """A batch that has run to its end.

    Attributes:
        images: what became of each image, in the order of the batch.
        dry_run: whether this was a dry run, which writes nothing.
    """

    images: tuple[ImageResult, ...]
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether no image failed."""
        return self.failed == 0

    @property
    def failed(self) -> int:
        """How many images failed."""
        return sum(image.status == "failed" for image in self.images)

    @property
    def published(self) -> int:
        """How many images have a tag that moved."""
        return sum(image.status == "published" for image in self.images)

    @property
    def unchanged(self) -> int:
        """How many images had stood there already."""
        return sum(image.status == "unchanged" for image in self.images)

    @property
    def kept(self) -> int:
        """How many images have all their tags on what is newer."""
        return sum(image.status == "kept" for image in self.images)

    def __repr__(self) -> str:
        # It fits a line: a batch may have thousands of images.
        return (
            f"BatchResult(published={self.published}, unchanged={self.unchanged}, "
            f"kept={self.kept}, failed={self.failed})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "images": [image.to_dict() for image in self.images],
            "published": self.published,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "failed": self.failed,
            "dryRun": self.dry_run,
        }


@frozen
class BatchStarted(Event):
    """All images of a batch have been checked, and the first ones begin.

    Attributes:
        total: how many images there are.
    """

    total: int


@frozen
class ImageStarted(Event):
    """An image of a batch begins.

    Attributes:
        name: its name, or its target where it has none.
        target: the reference of its first target, which no other image of the batch has.
    """

    name: str
    target: str


@frozen
class ImageProgressed(Event):
    """An event of an image of a batch.

    Attributes:
        name: the image's name, or its target where it has none.
        target: the reference of its first target.
        progress: what happened.
    """

    name: str
    target: str
    progress: Event


@frozen
class ImageFinished(Event):
    """An image of a batch is published, or has failed.

    Attributes:
        image: what became of it.
    """

    image: ImageResult
