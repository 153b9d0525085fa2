"""The document of a dry run as ``apply`` reads it, field by field. Pure.

The names are those of the document. Fields that are not read may be there, as later versions may
add some; what would change the meaning of a plan changes its version instead.
"""

# There is no ``from __future__ import annotations`` here: pydantic reads the types at run time.

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from oci_merge.errors import InvalidReferenceError
from oci_merge.model.digest import check_digest
from oci_merge.planning.transfers import BlobRole


def _digest(text: str) -> str:
    try:
        return check_digest(text)
    except InvalidReferenceError as error:
        raise ValueError(error.message) from error


_Digest = Annotated[str, AfterValidator(_digest)]
_Size = Annotated[int, Field(ge=0, lt=2**63)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


class BlobPart(_Part):
    """A blob to mount or to copy."""

    digest: _Digest
    size: _Size
    mediaType: str
    source: str = Field(alias="from")
    role: BlobRole = "layer"
    foreign: bool = False


class ChildPart(_Part):
    """A manifest that the index lists, with its bytes."""

    digest: _Digest
    size: _Size
    mediaType: str
    source: str = Field(alias="from")
    blobs: list[_Digest]
    content: str


class TransfersPart(_Part):
    """What is brought into a repository."""

    mounts: list[BlobPart]
    copies: list[BlobPart]
    children: list[ChildPart]


class IndexPart(_Part):
    """The index, with its text."""

    mediaType: str
    digest: _Digest
    size: _Size
    document: str


class TagPart(_Part):
    """A tag; one that is kept where it is, is not written."""

    name: str
    changed: bool
    kept: bool = False


class SourcePart(_Part):
    """An image to join, with the digest that was read."""

    reference: str
    digest: _Digest


class OptionsPart(_Part):
    """How the plan is to be carried out."""

    copyLayers: bool
    verify: bool
    deleteSources: bool
    referrers: bool
    force: bool
    attaches: bool = False


class PlanPart(TransfersPart):
    """The plan of one target."""

    target: str
    index: IndexPart
    expected: TransfersPart
    own: list[ChildPart]
    stays: list[_Digest]
    tags: Annotated[list[TagPart], Field(min_length=1)]
    standing: dict[str, _Digest | None]
    sources: list[SourcePart]
    options: OptionsPart


class TargetPart(_Part):
    """A target; where there are several, each has its plan."""

    plan: PlanPart | None = None


class PlatformPart(_Part):
    """What the result says of an image of the index."""

    digest: _Digest
    source: str
    attestations: list[_Digest]


class Document(_Part):
    """The result of a dry run."""

    plan: PlanPart
    targets: list[TargetPart]
    platforms: list[PlatformPart]
    warnings: list[str]
