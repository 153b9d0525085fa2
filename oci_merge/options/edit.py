"""How to change an index that exists. Pure.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from collections.abc import Iterable
from typing import Annotated

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword
from oci_merge.options.merge import (
    AnnotationKeywords,
    DryRunKeywords,
    EventKeywords,
    PlatformKeywords,
)
from oci_merge.options.registry import ClientKeywords
from oci_merge.options.trust import PasswordKeywords, SignKeywords


class EditKeywords(SignKeywords, EventKeywords, DryRunKeywords, total=False):
    """What every change takes."""


class RemoveKeywords(PlatformKeywords, EditKeywords, total=False):
    """What ``Client.remove`` takes beside the reference."""


class AnnotateKeywords(AnnotationKeywords, EditKeywords, total=False):
    """What ``Client.annotate`` takes beside the reference."""

    remove_annotations: Annotated[
        Iterable[str],
        Keyword(
            take.several(take.text),
            "the keys of annotations to remove, with the same prefixes.",
            (),
        ),
    ]


class RemoveCall(RemoveKeywords, PasswordKeywords, ClientKeywords, total=False):
    """What ``remove`` takes beside the reference."""


class AnnotateCall(AnnotateKeywords, PasswordKeywords, ClientKeywords, total=False):
    """What ``annotate`` takes beside the reference."""
