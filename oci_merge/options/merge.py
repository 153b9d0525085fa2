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
Attestations = Literal["keep", "drop"]

_seconds = take.positive("seconds", "give a number such as 600, or leave it out")


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


class PlatformKeywords(TypedDict, total=False):
    """Which platforms are meant."""

    platforms: Annotated[
        Iterable[str | Platform],
        Keyword(
            take.several(take.platform),
            """the platforms to put into the template, for example ``linux/arm/v7``; by default
            the known platforms are looked for. With ``sources``, those to select from indexes;
            with ``remove``, those to take out, every variant of one without a variant.""",
            (),
        ),
    ]


class AnnotationKeywords(TypedDict, total=False):
    """How the index and its entries are annotated."""

    annotations: Annotated[
        Mapping[str, str] | None,
        Keyword(
            take.pairs("annotation"),
            """annotations of the index, an OCI index only; with buildx's prefix
            ``manifest-descriptor:`` or ``manifest-descriptor[linux/amd64]:`` of its entries.""",
        ),
    ]


class DryRunKeywords(TypedDict, total=False):
    """Whether anything is written."""

    dry_run: Annotated[bool, Keyword(take.flag, "read and plan, but write nothing.", False)]


class ImageKeywords(PlatformKeywords, total=False):
    """Which images to join."""

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
    arch_aliases: Annotated[
        Mapping[str, str] | None,
        Keyword(
            take.pairs("architecture alias"),
            """architecture names that the template's images write otherwise, for example
            ``{"amd64": "x86_64"}``.""",
        ),
    ]
    optional: Annotated[
        Iterable[str | Platform],
        Keyword(
            take.several(take.platform),
            """those of the platforms that are left out, with a warning, where their images are not
            there.""",
            (),
        ),
    ]
    wait: Annotated[
        float | None,
        Keyword(
            _seconds,
            """how many seconds to wait for images that are not there yet; by default they are an
            error at once.""",
        ),
    ]
    attestations: Annotated[
        Attestations,
        Keyword(
            take.choice(Attestations, "way to treat attestations"),
            """``keep`` the attestations that source indexes list beside their images, or ``drop``
            them.""",
            "keep",
        ),
    ]
    referrers: Annotated[
        bool,
        Keyword(
            take.flag,
            """bring what refers to the images along, such as signatures and SBOMs: what the
            registry lists as their referrers.""",
            False,
        ),
    ]


class SafetyKeywords(TypedDict, total=False):
    """What has to hold before a tag moves."""

    require: Annotated[
        Iterable[str | Platform],
        Keyword(
            take.several(take.platform),
            "platforms that the index must have; without one of them nothing is published.",
            (),
        ),
    ]
    require_same: Annotated[
        Iterable[str],
        Keyword(
            take.several(take.text),
            """labels on whose values all images must agree, for example
            ``org.opencontainers.image.revision``.""",
            (),
        ),
    ]
    no_shrink: Annotated[
        bool,
        Keyword(
            take.flag,
            "publish nothing if a tag would lose a platform that it has now.",
            False,
        ),
    ]
    only_newer: Annotated[
        str | None,
        Keyword(
            take.text,
            """move a tag only if the images are not older than what it points to: by ``version``
            (or time, where there is none), by ``created``, or by a label; other tags are kept.""",
        ),
    ]
    force: Annotated[
        bool,
        Keyword(
            take.flag,
            "put a tag even if it points to this very index already, so that the registry tells "
            "its webhooks.",
            False,
        ),
    ]


class ResultKeywords(AnnotationKeywords, DryRunKeywords, total=False):
    """What to publish."""

    targets: Annotated[
        Iterable[str | Reference],
        Keyword(
            take.several(take.reference),
            """more tags to publish, in other repositories; in other registries with
            ``copy_layers``.""",
            (),
        ),
    ]
    tags: Annotated[
        Iterable[str | Reference],
        Keyword(
            take.several(take.tag),
            """more tags of every target, as names; or of one target, as references with its
            repository.""",
            (),
        ),
    ]
    annotations_from_labels: Annotated[
        bool,
        Keyword(
            take.flag,
            """annotate the index with the labels ``org.opencontainers.image.*`` on which all images
            agree.""",
            False,
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
    artifact_type: Annotated[
        str | None,
        Keyword(take.text, "the artifact type of the index, a media type; an OCI index only."),
    ]
    subject: Annotated[
        str | Reference | None,
        Keyword(
            take.reference,
            """the manifest that the index refers to, in the target's repository; an OCI index
            only.""",
        ),
    ]
    append: Annotated[
        bool,
        Keyword(
            take.flag,
            """keep what the target's present index lists, but for the platforms of the images to
            join, and its annotations.""",
            False,
        ),
    ]


class AfterKeywords(TypedDict, total=False):
    """What to do once everything is published."""

    verify: Annotated[
        bool,
        Keyword(
            take.flag,
            """read everything again after it is published, by new connections, until the registry
            shows it.""",
            False,
        ),
    ]
    delete_sources: Annotated[
        bool,
        Keyword(
            take.flag,
            """delete the tags of the images after a verified publish, where the registry keeps
            their manifests.""",
            False,
        ),
    ]
