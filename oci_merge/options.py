"""Every parameter of the library, declared once: its type, default, meaning and check. Pure.

What takes parameters names one of these TypedDicts (``**keywords: Unpack[MergeCall]``); its
signature and documentation are made from it.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, TypedDict, Unpack

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword, check_names, checked, documented
from oci_merge.errors import UsageError
from oci_merge.events import OnEvent
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference

ListFormat = Literal["auto", "oci", "docker"]
ListType = Literal["docker", "oci"]
PlatformCheck = Literal["warn", "error", "off"]

#: How often a request is sent again by default.
DEFAULT_RETRIES = 4
#: How many operations of a client run at once by default.
DEFAULT_CONCURRENCY = 16

_seconds = take.positive("seconds", "give a number such as 30 or 0.5, or leave it out")


class PathLike(Protocol):
    """A path, such as ``pathlib.Path``."""

    def __fspath__(self) -> str:
        """Return the path as text."""


class CredentialKeywords(TypedDict, total=False):
    """Who to be at a registry, and how long an operation may take."""

    username: Annotated[
        str | None,
        Keyword(
            take.text,
            """the registry's user; by default a credential is looked for, see
            ``explain_credentials``.""",
        ),
    ]
    password: Annotated[str | None, Keyword(take.text, "the user's password or token.")]
    docker_config: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            """a docker config, or the folder that holds it, to search before the variables and
            instead of the usual files.""",
        ),
    ]
    deadline: Annotated[
        float | None,
        Keyword(
            _seconds,
            """how many seconds one operation may take, with the waits between retries; no limit
            by default.""",
        ),
    ]


class ClientKeywords(CredentialKeywords, total=False):
    """How to reach a registry, and who to be there."""

    plain_http: Annotated[
        bool,
        Keyword(
            take.flag,
            "speak plain HTTP; for a registry on a loopback address it is tried in any case.",
            False,
        ),
    ]
    insecure: Annotated[
        bool, Keyword(take.flag, "do not verify the registry's certificate.", False)
    ]
    retries: Annotated[
        int,
        Keyword(
            take.whole_number(
                0, "0 or more", "give a number such as 4; 0 sends each request only once"
            ),
            """how often a request is sent again after a failure that may be temporary: the
            connection broke, or the answer was 408, 429, 500, 502, 503 or 504; 0 for never.""",
            DEFAULT_RETRIES,
        ),
    ]
    timeout: Annotated[
        float | None,
        Keyword(
            _seconds,
            """how many seconds to wait for a connection, and how many for the next byte of an
            answer; by default 15 and 30, and 300 for a blob that is copied.""",
        ),
    ]
    rate: Annotated[
        float | None,
        Keyword(
            take.positive("requests a second", "give a number such as 10 or 0.5, or leave it out"),
            "how many requests a second may go to one registry; no limit by default.",
        ),
    ]
    ca_file: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            "a PEM file with authorities to trust for the registry beside the system's own.",
        ),
    ]
    client_cert: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            "a PEM file with the certificate to show to the registry, and its chain.",
        ),
    ]
    client_key: Annotated[
        str | PathLike | None,
        Keyword(
            take.path, "a PEM file with its private key, where that is not in ``client_cert``."
        ),
    ]


@documented(ClientKeywords)
@dataclass(frozen=True, slots=True, init=False)
class RegistryOptions:
    """How to reach a registry, and who to be there.

    Attributes:
        **keywords: those of ``ClientKeywords``; paths are kept as text.

    Raises:
        UsageError: a value is of a wrong type or out of range, or a key has no certificate.
    """

    username: str | None
    password: str | None = field(repr=False)
    docker_config: str | None
    deadline: float | None
    plain_http: bool
    insecure: bool
    retries: int
    timeout: float | None
    rate: float | None
    ca_file: str | None
    client_cert: str | None
    client_key: str | None

    def __init__(self, **keywords: Unpack[ClientKeywords]) -> None:
        check_names("RegistryOptions", ClientKeywords, keywords)
        for name, value in checked(ClientKeywords, keywords).items():
            object.__setattr__(self, name, value)  # the class is frozen
        if self.client_key is not None and self.client_cert is None:
            raise UsageError(
                "a client key is given without a client certificate",
                hint="give the certificate that the key belongs to as well",
            )


def _registry_options(name: str, value: object) -> RegistryOptions:
    if not isinstance(value, RegistryOptions):
        hint = f"write {name}=oci_merge.RegistryOptions(...)"
        raise take.mistyped(name, "a RegistryOptions", value, hint)
    if value.deadline is not None:
        raise UsageError(
            f"{name} has a deadline, but an operation has one deadline for all registries",
            hint="give the deadline beside it, and leave it out there",
        )
    return value


class SourceKeywords(TypedDict, total=False):
    """How to reach registries that have images to join but not the target."""

    source_registry: Annotated[
        RegistryOptions | None,
        Keyword(
            _registry_options,
            """how to reach the registries that have images but not the target, and who
            to be there, see ``copy_layers``; by default they are reached with the same
            ``docker_config``, ``retries``, ``timeout`` and ``rate``, and with nothing else of
            what is given here.""",
        ),
    ]


class ConcurrencyKeywords(TypedDict, total=False):
    """How much a client does at once."""

    concurrency: Annotated[
        int,
        Keyword(
            take.whole_number(
                1, "at least 1", "give a number such as 16; 1 lets one operation follow the other"
            ),
            "how many operations run at once; the others wait for their turn.",
            DEFAULT_CONCURRENCY,
        ),
    ]


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
