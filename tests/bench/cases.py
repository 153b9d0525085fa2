"""What is timed: the cases, the sample images they join, and how both are named in a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.images import BuiltImage, build_image

LAYERS = 6
"""Layers of each sample image; the first is the same for every platform."""

HEADLINE_RTTS = (0, 2, 8, 10, 50, 100)
"""Round trips in milliseconds of the main case. At 8 ms oci-merge has to be ahead by the issue."""

VARIED_RTT = 50
"""The round trip in milliseconds at which the main case is varied."""

SOURCE_TAG = "1.0"

# From an image's name to its platform: as many of these as a case has platforms.
_PLATFORMS: Mapping[str, tuple[str, str, str]] = {
    "amd64": ("linux", "amd64", ""),
    "arm64": ("linux", "arm64", ""),
    "armv7": ("linux", "arm", "v7"),
    "armv6": ("linux", "arm", "v6"),
    "386": ("linux", "386", ""),
    "ppc64le": ("linux", "ppc64le", ""),
    "s390x": ("linux", "s390x", ""),
    "riscv64": ("linux", "riscv64", ""),
}


@dataclass(frozen=True)
class Case:
    """One job under one set of conditions.

    Args:
        tls: TLS, HTTP/2 and tokens; else plain HTTP, open to everybody.
        rtt: the round trip time, in milliseconds.
        platforms: how many images are joined, 8 at most.
        tags: how many tags the index gets, 1 at least.
        one_repository: images and target are in one repository; else each is in its own.
        unchanged: the target is there already and stays what it is.
        known: the registry is Docker Hub by its names, with its token server; only with TLS.
    """

    tls: bool
    rtt: int
    platforms: int = 3
    tags: int = 2
    one_repository: bool = False
    unchanged: bool = False
    known: bool = False

    @property
    def wire(self) -> str:
        """How the registry is spoken to, in words."""
        if not self.tls:
            return "plain HTTP"
        return "TLS and tokens, as Docker Hub" if self.known else "TLS and tokens"

    @property
    def title(self) -> str:
        """What is done, in words, without the wire and the round trip."""
        place = "one repository" if self.one_repository else "cross-repository"
        state = "unchanged" if self.unchanged else "fresh"
        tags = "1 tag" if self.tags == 1 else f"{self.tags} tags"
        return f"{self.platforms} platforms, {tags}, {place}, {state} target"


@dataclass(frozen=True)
class Order:
    """What one run of a tool has to do.

    Args:
        host: the registry, as references name it.
        tls: whether the registry has TLS and tokens.
        template: the images' reference, with ARCHVARIANT in it.
        sources: the same images, one reference each.
        platforms: their platforms, `linux/arm/v7`.
        target: the tag to publish.
        tags: more tags, as bare names.
        label: a name that no other run has.
        work: a folder for whatever the tool keeps.
    """

    host: str
    tls: bool
    template: str
    sources: tuple[str, ...]
    platforms: tuple[str, ...]
    target: str
    tags: tuple[str, ...]
    label: str
    work: Path


def headline(rtts: Sequence[int] = HEADLINE_RTTS) -> list[Case]:
    """Return the main case at every round trip, over plain HTTP and with TLS and tokens.

    Args:
        rtts: the round trips, in milliseconds.
    """
    return [Case(tls, rtt) for tls in (False, True) for rtt in rtts]


def variations(rtt: int = VARIED_RTT) -> list[Case]:
    """Return the main case with one thing changed at a time.

    With TLS, what only changes the number of like requests is left out for the sake of time.

    Args:
        rtt: the round trip, in milliseconds.
    """
    plain = [
        Case(False, rtt, platforms=2),
        Case(False, rtt, platforms=8),
        Case(False, rtt, tags=1),
        Case(False, rtt, tags=5),
        Case(False, rtt, one_repository=True),
        Case(False, rtt, unchanged=True),
    ]
    tls = [
        Case(True, rtt, platforms=8),
        Case(True, rtt, known=True),
        Case(True, rtt, platforms=8, known=True),
        Case(True, rtt, one_repository=True),
        Case(True, rtt, unchanged=True),
    ]
    return plain + tls


def images(count: int, text: str = "") -> dict[str, BuiltImage]:
    """Build the images of the first platforms.

    Args:
        count: how many, 8 at most.
        text: goes into their layers, to tell them from others of the same platforms.

    Returns:
        The images by what stands for ARCHVARIANT in their names.
    """
    chosen = list(_PLATFORMS.items())[:count]
    return {name: build_image(*platform, layers=LAYERS, text=text) for name, platform in chosen}


def platform_names(count: int) -> tuple[str, ...]:
    """Return the first platforms as command lines take them, `linux/arm/v7`.

    Args:
        count: how many, 8 at most.
    """
    return tuple("/".join(filter(None, parts)) for parts in list(_PLATFORMS.values())[:count])


def source_of(case: Case, suffix: str) -> tuple[str, str]:
    """Return the repository and the tag of an image.

    Args:
        case: where the image is used.
        suffix: `armv7`, or `ARCHVARIANT` for the template.
    """
    if case.one_repository:
        return "bench/app", f"{SOURCE_TAG}-{suffix}"
    return f"bench/app-{suffix}", SOURCE_TAG


def target_of(case: Case, tool: str, turn: int) -> tuple[str, tuple[str, ...]]:
    """Return the repository and all tags that a run publishes.

    Args:
        case: what is done.
        tool: the name of the tool that does it.
        turn: which of the tool's runs it is; it names a fresh target.
    """
    name = tool if case.unchanged else f"{tool}-{turn}"
    repository = "bench/app" if case.one_repository else f"bench/{name}"
    return repository, tuple(f"{name}-t{number}" for number in range(case.tags))


def order(case: Case, host: str, work: Path, tool: str, turn: int) -> Order:
    """Return what a tool has to do in one of its runs.

    Args:
        case: what is done.
        host: the registry, as references name it.
        work: a folder for whatever the tool keeps.
        tool: the tool's name.
        turn: which of its runs it is.
    """
    repository, tags = target_of(case, tool, turn)
    sources = (source_of(case, suffix) for suffix in list(_PLATFORMS)[: case.platforms])
    template = source_of(case, "ARCHVARIANT")
    return Order(
        host=host,
        tls=case.tls,
        template=f"{host}/{template[0]}:{template[1]}",
        sources=tuple(f"{host}/{name}:{tag}" for name, tag in sources),
        platforms=platform_names(case.platforms),
        target=f"{host}/{repository}:{tags[0]}",
        tags=tags[1:],
        label=f"{tool}-{turn}",
        work=work,
    )
