"""Every parameter of the library, declared once: its type, default, meaning and check. Pure.

What takes parameters names one of these TypedDicts (``**keywords: Unpack[MergeCall]``); its
signature and documentation are made from it.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from typing import Annotated

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword
from oci_merge.options.merge import (
    EventKeywords,
    ImageKeywords,
    ListFormat,
    ListType,
    PlatformCheck,
    WriteKeywords,
)
from oci_merge.options.registry import (
    DEFAULT_CONCURRENCY,
    DEFAULT_RETRIES,
    ClientKeywords,
    ConcurrencyKeywords,
    CredentialKeywords,
    PathLike,
    RegistryOptions,
    SourceKeywords,
)

__all__ = [
    "DEFAULT_CONCURRENCY",
    "DEFAULT_RETRIES",
    "ClientCall",
    "ClientKeywords",
    "ConcurrencyKeywords",
    "CredentialKeywords",
    "EventKeywords",
    "ImageKeywords",
    "InspectCall",
    "InspectKeywords",
    "ListFormat",
    "ListType",
    "MergeCall",
    "MergeKeywords",
    "OwnKeywords",
    "PathLike",
    "PlatformCheck",
    "PushCall",
    "PushKeywords",
    "RegistryOptions",
    "SourceKeywords",
    "WriteKeywords",
]


class MergeKeywords(ImageKeywords, WriteKeywords, total=False):
    """What ``Client.merge`` takes beside the target."""


class PushKeywords(WriteKeywords, total=False):
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


class OwnKeywords(SourceKeywords, ConcurrencyKeywords, total=False):
    """What a client takes beside how to reach a registry."""


class ClientCall(ClientKeywords, OwnKeywords, total=False):
    """What ``Client`` and ``AsyncClient`` take."""


class MergeCall(MergeKeywords, SourceKeywords, ClientKeywords, total=False):
    """What ``merge`` takes beside the target."""


class PushCall(PushKeywords, SourceKeywords, ClientKeywords, total=False):
    """What ``push`` takes beside the spec."""


class InspectCall(InspectKeywords, ClientKeywords, total=False):
    """What ``inspect`` takes beside the reference."""
