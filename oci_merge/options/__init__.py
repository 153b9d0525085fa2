"""Every parameter of the library, declared once: its type, default, meaning and check. Pure.

What takes parameters names one of these TypedDicts (``**keywords: Unpack[MergeCall]``); its
signature and documentation are made from it.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from collections.abc import Iterable
from typing import Annotated, TypedDict

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword
from oci_merge.model.reference import Reference
from oci_merge.options.edit import (
    AnnotateCall,
    AnnotateKeywords,
    EditKeywords,
    RemoveCall,
    RemoveKeywords,
)
from oci_merge.options.merge import (
    AfterKeywords,
    AnnotationKeywords,
    Attestations,
    DryRunKeywords,
    EventKeywords,
    ImageKeywords,
    ListFormat,
    ListType,
    PlatformCheck,
    PlatformKeywords,
    ResultKeywords,
    SafetyKeywords,
    WriteKeywords,
)
from oci_merge.options.registry import (
    DEFAULT_CONCURRENCY,
    DEFAULT_RETRIES,
    ClientKeywords,
    ConcurrencyKeywords,
    CredentialKeywords,
    PathLike,
    Readable,
    RegistryOptions,
    SourceKeywords,
)
from oci_merge.options.trust import (
    PasswordKeywords,
    SignatureFormat,
    SignatureKeywords,
    SignKeywords,
    TrustKeywords,
)

__all__ = [
    "DEFAULT_CONCURRENCY",
    "DEFAULT_RETRIES",
    "AfterKeywords",
    "AnnotateCall",
    "AnnotateKeywords",
    "AnnotationKeywords",
    "ApplyCall",
    "ApplyKeywords",
    "Attestations",
    "BatchCall",
    "BatchKeywords",
    "ClientCall",
    "ClientKeywords",
    "ConcurrencyKeywords",
    "CredentialKeywords",
    "DryRunKeywords",
    "EditKeywords",
    "EventKeywords",
    "ImageKeywords",
    "InspectCall",
    "InspectKeywords",
    "ListFormat",
    "ListType",
    "MergeCall",
    "MergeKeywords",
    "OwnKeywords",
    "PasswordKeywords",
    "PathLike",
    "PlatformCheck",
    "PlatformKeywords",
    "PushCall",
    "PushKeywords",
    "Readable",
    "RegistryOptions",
    "RemoveCall",
    "RemoveKeywords",
    "ResultKeywords",
    "SafetyKeywords",
    "SignCall",
    "SignKeywords",
    "SignOwnKeywords",
    "SignatureFormat",
    "SignatureKeywords",
    "SourceFileKeywords",
    "SourceKeywords",
    "TrustKeywords",
    "VerifyCall",
    "VerifyKeywords",
    "WriteKeywords",
]


class SourceFileKeywords(TypedDict, total=False):
    """What builders have written about the images that they pushed."""

    source_files: Annotated[
        Iterable[str | PathLike | Readable],
        Keyword(
            take.source_files,
            """files in which builders have written the digests of the images that they pushed;
            folders, patterns such as ``"digests/*"`` and open files of them. These images are
            joined behind the ``sources``, whatever their tags point to now.""",
            (),
        ),
    ]
    source_repository: Annotated[
        str | Reference | None,
        Keyword(
            take.reference,
            """the repository of images of which only the digest is known, from ``sources`` or
            from a file, for example ``reg.example/app``.""",
        ),
    ]


class MergeKeywords(
    ImageKeywords,
    SourceFileKeywords,
    ResultKeywords,
    AfterKeywords,
    SafetyKeywords,
    TrustKeywords,
    WriteKeywords,
    total=False,
):
    """What ``Client.merge`` takes beside the target."""


class PushKeywords(TrustKeywords, WriteKeywords, total=False):
    """What ``Client.push`` takes beside the spec."""

    list_type: Annotated[
        ListType,
        Keyword(
            take.choice(ListType, "format"),
            "``docker`` for a manifest list, ``oci`` for an index.",
            "docker",
        ),
    ]
    ignore_missing: Annotated[
        bool, Keyword(take.flag, "leave out, with a warning, images that are not there.", False)
    ]


class BatchKeywords(EventKeywords, total=False):
    """What ``Client.batch`` takes beside the images."""

    shard: Annotated[
        str | None,
        Keyword(
            take.text,
            """which part of the images to merge, for example ``3/10``; each part has other ones.
            All are checked in any case.""",
        ),
    ]
    dry_run: Annotated[bool, Keyword(take.flag, "read and plan, but write nothing.", False)]


class InspectKeywords(EventKeywords, total=False):
    """What ``Client.inspect`` takes beside the reference."""

    shallow: Annotated[
        bool,
        Keyword(
            take.flag,
            "read only the manifest, and nothing that it lists: one request.",
            False,
        ),
    ]


class VerifyKeywords(EventKeywords, total=False):
    """What ``Client.verify`` takes beside the reference, the digest and the platforms."""

    keys: Annotated[
        Iterable[str],
        Keyword(
            take.several(take.text),
            """public keys, each a file, ``env://VARIABLE`` or ``NAME://…`` for the program
            ``sigstore-kms-NAME``; the image must be signed by one of them.""",
            (),
        ),
    ]


class SignOwnKeywords(SignatureKeywords, EventKeywords, total=False):
    """What ``Client.sign`` takes beside the reference."""

    key: Annotated[
        str | None,
        Keyword(
            take.text,
            """the private key: a file, ``env://VARIABLE``, or ``NAME://…`` for the program
            ``sigstore-kms-NAME``; by default ``env://COSIGN_PRIVATE_KEY``.""",
        ),
    ]


class ApplyKeywords(AfterKeywords, EventKeywords, total=False):
    """What ``Client.apply`` takes beside the plan."""


class OwnKeywords(SourceKeywords, PasswordKeywords, ConcurrencyKeywords, total=False):
    """What a client takes beside how to reach a registry."""


class ClientCall(ClientKeywords, OwnKeywords, total=False):
    """What ``Client`` and ``AsyncClient`` take."""


class MergeCall(MergeKeywords, SourceKeywords, PasswordKeywords, ClientKeywords, total=False):
    """What ``merge`` takes beside the target."""


class PushCall(PushKeywords, SourceKeywords, PasswordKeywords, ClientKeywords, total=False):
    """What ``push`` takes beside the spec."""


class BatchCall(BatchKeywords, OwnKeywords, ClientKeywords, total=False):
    """What ``batch`` takes beside the images."""


class VerifyCall(VerifyKeywords, ClientKeywords, total=False):
    """What ``verify`` takes beside the reference."""


class SignCall(SignOwnKeywords, PasswordKeywords, ClientKeywords, total=False):
    """What ``sign`` takes beside the reference."""


class ApplyCall(ApplyKeywords, SourceKeywords, ClientKeywords, total=False):
    """What ``apply`` takes beside the plan."""


class InspectCall(InspectKeywords, ClientKeywords, total=False):
    """What ``inspect`` takes beside the reference."""
