"""What to join and how to publish it. Pure.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypedDict

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword
from oci_merge.events import OnEvent
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference

ListFormat = Literal["auto", "oci", "docker"]
ListType = Literal["docker", "oci"]
PlatformCheck = Literal["warn", "error", "off"]


class EventKeywords(TypedDict, total=False):
    """Who is told of progress."""

    on_event: Annotated[
        OnEvent | None,
        Keyword(
            take.function,
            """called with each progress event, in the thread of the event loop; an inspection
            reports retries and warnings about its login only.""",
        ),
    ]


class WriteKeywords(EventKeywords, total=False):
    """How to publish."""

    platform_check: Annotated[
        PlatformCheck,
        Keyword(
            take.choice(PlatformCheck, "platform check"),
            """what to do if an image contradicts the platform asked for: ``warn`` and publish
            the platform asked for, ``error``, or ``off``.""",
            "warn",
        ),
    ]
    copy_layers: Annotated[
        bool,
        Keyword(
            take.flag,
            """if the registry does not mount a blob, copy it through this machine, in pieces; the
            images may then be in other registries than the target. The credentials and the
            certificate files given here, and ``OCI_MERGE_USERNAME``, are for the target's registry
            only; see ``source_registry`` for the others.""",
            False,
        ),
    ]


class ImageKeywords(TypedDict, total=False):
    """Which images to join, and into what."""

    template: Annotated[
        str | None,
        Keyword(
            take.text,
            """one reference for all platforms, with ARCH, OS and VARIANT in its repository or
            tag, for example ``reg.example/app-ARCHVARIANT:1.0``.""",
        ),
    ]
    sources: Annotated[
        Iterable[str | Reference | tuple[str | Reference, str | Platform]],
        Keyword(
            take.several(take.source),
            """instead of a template, the images themselves, by tag or digest; with its platform as
            ``"reg.example/app:1.0=linux/arm64"`` or ``("reg.example/app:1.0", "linux/arm64")``,
            where the image does not say it, or a wrong one.""",
            (),
        ),
    ]
    platforms: Annotated[
        Iterable[str | Platform],
        Keyword(
            take.several(take.platform),
            """the platforms to put into the template, for example ``linux/arm/v7``; by default
            the known platforms are looked for. With ``sources``, those to select from indexes.""",
            (),
        ),
    ]
    tags: Annotated[
        Iterable[str | Reference],
        Keyword(
            take.several(take.tag),
            "more tags for the index, as names or as references with the target's repository.",
            (),
        ),
    ]
    arch_aliases: Annotated[
        Mapping[str, str] | None,
        Keyword(
            take.pairs("architecture alias"),
            """architecture names that the template's images write otherwise, for example
            ``{"amd64": "x86_64"}``.""",
        ),
    ]
    annotations: Annotated[
        Mapping[str, str] | None,
        Keyword(
            take.pairs("annotation"),
            """annotations of the index, an OCI index only; a key may have buildx's prefix
            ``index:``.""",
        ),
    ]
    format: Annotated[
        ListFormat,
        Keyword(
            take.choice(ListFormat, "format"),
            """``oci``, ``docker``, or ``auto``: a Docker list if every image is Docker's and there
            are no annotations, else OCI.""",
            "auto",
        ),
    ]
    dry_run: Annotated[bool, Keyword(take.flag, "read and plan, but write nothing.", False)]
