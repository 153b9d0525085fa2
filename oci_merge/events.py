"""Progress events: frozen values that a merge hands to ``on_event``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Literal

from oci_merge._frozen import frozen

Stage = Literal["probe", "manifests", "configs", "mounts", "children", "tags", "verify"]


@frozen
class Event:
    """The root of all events."""


@frozen
class StageStarted(Event):
    """A step of the merge began; steps overlap.

    Attributes:
        stage: which.
        total: how many things it has to do.
    """

    stage: Stage
    total: int


@frozen
class StageAdvanced(Event):
    """One thing of a step is done.

    Attributes:
        stage: which step.
        subject: what was read or written, for example a reference or a digest.
    """

    stage: Stage
    subject: str


@frozen
class ComponentsFound(Event):
    """The search for the known platforms has found these images.

    Attributes:
        references: where images were found.
        platforms: the value of ``--platforms`` that names the same images; empty if none does.
    """

    references: tuple[str, ...]
    platforms: str


@frozen
class TagMoved(Event):
    """A tag stands on the new index.

    Attributes:
        tag: the bare tag.
        changed: whether this run moved it; False if it stood there before.
        reference: the tag with its repository; not compared.
        again: whether it was put although it stood there before; not compared.
    """

    tag: str
    changed: bool
    reference: str = field(default="", compare=False)
    again: bool = field(default=False, compare=False)


@frozen
class TagKept(Event):
    """A tag stays on what it points to, since that is newer than the images of this run.

    Attributes:
        tag: the bare tag.
        reason: what was compared, in words that are safe to print.
        reference: the tag with its repository; not compared.
    """

    tag: str
    reason: str
    reference: str = field(default="", compare=False)


@frozen
class ManifestsSigned(Event):
    """An index is signed, with what it lists, and no tag points to it yet.

    Attributes:
        count: how many manifests have a signature now.
        written: how many signatures were written for that; the others were there.
        reference: the repository.
        key_id: base64 of the sha256 digest of the public key in DER.
    """

    count: int
    written: int
    reference: str
    key_id: str


@frozen
class TagDeleted(Event):
    """The tag of an image that was joined is deleted.

    Attributes:
        reference: the tag, with its repository.
    """

    reference: str


@frozen
class CopyStarted(Event):
    """The copy of a blob begins, or begins again from its first byte.

    Attributes:
        digest: the blob.
        size: its size in bytes.
        source: the repository that it comes from, with its registry.
    """

    digest: str
    size: int
    source: str


@frozen
class CopyAdvanced(Event):
    """More bytes of a blob went from its source to the target.

    Attributes:
        digest: the blob.
        count: how many bytes more.
    """

    digest: str
    count: int


@frozen
class BlobCopied(Event):
    """A blob was copied, and its digest and size are right.

    Attributes:
        digest: the blob.
        size: its size in bytes.
        source: the repository that it came from, with its registry.
    """

    digest: str
    size: int
    source: str


@frozen
class Warned(Event):
    """Something that the user should know.

    Attributes:
        message: a sentence, safe to print.
    """

    message: str


@frozen
class Retrying(Event):
    """A request has failed, perhaps only for now, and is sent again after a wait.

    Attributes:
        subject: the request, for example ``GET /v2/team/app/manifests/1.0``.
        reason: why it failed, in words that are safe to print.
        seconds: how long the wait is.
    """

    subject: str
    reason: str
    seconds: float


@frozen
class Waiting(Event):
    """Images are not there yet, and are looked for again after a while.

    Attributes:
        missing: their references.
        waited: for how many seconds the run has waited for them.
        left: for how many seconds more it waits.
    """

    missing: tuple[str, ...]
    waited: float
    left: float


OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with an event."""
