"""Platforms: their text form, their normal form, and when two of them agree.

The normal form is containerd's, so that what is published is what runtimes look for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from oci_merge._text import printable
from oci_merge.errors import InvalidPlatformError

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_OS_ALIASES = {"macos": "darwin"}
_ARCHITECTURE_ALIASES = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
}
#: Architectures that name a variant of ``arm``.
_ARM_ALIASES = {"armhf": "v7", "armel": "v6"}
_VARIANT_ALIASES = {
    "amd64": {"v1": ""},
    "arm64": {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
}


#: What Go, and so every container tool, calls the systems and architectures that it knows.
_KNOWN_SYSTEMS = [
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux"),
    *("netbsd", "openbsd", "plan9", "solaris", "wasip1", "wasi", "windows"),
]
_KNOWN_ARCHITECTURES = [
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"),
    *("ppc64", "ppc64le", "riscv64", "s390x", "wasm"),
]


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on (OCI image spec, the ``platform`` of a descriptor).

    Attributes:
        os: for example ``linux``.
        architecture: for example ``arm64``, in Go's names.
        variant: for example ``v7``, or an empty string.
        os_version: for example ``10.0.20348.2227`` (Windows), or an empty string.
        os_features: for example ``("win32k",)``.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = "/".join(part for part in (self.os, self.architecture, self.variant) if part)
        return f"{text} ({self.os_version})" if self.os_version else text

    @property
    def is_known(self) -> bool:
        """Whether both os and architecture are given; attestations say ``unknown``."""
        return bool(self.os and self.architecture)


def parse_platform(text: str) -> Platform:
    """Parse ``os/architecture`` or ``os/architecture/variant``.

    Args:
        text: for example ``linux/arm/v7``.

    Returns:
        The platform as written, not normalized.

    Raises:
        InvalidPlatformError: the text has another shape.
    """
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidPlatformError(
            f"{printable(text)!r} is not a platform",
            hint="a platform is os/architecture or os/architecture/variant, "
            "for example linux/amd64 or linux/arm/v7",
        )
    return Platform(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def normalize(platform: Platform) -> Platform:
    """Return the platform in containerd's normal form.

    ``linux/x86_64`` becomes ``linux/amd64``, ``linux/arm64/v8`` becomes ``linux/arm64``, and
    ``linux/arm`` becomes ``linux/arm/v7``.
    """
    os = platform.os.lower()
    architecture = platform.architecture.lower()
    variant = platform.variant.lower()
    if architecture in _ARM_ALIASES:
        architecture, variant = "arm", _ARM_ALIASES[architecture]
    elif architecture == "i386":
        variant = ""
    architecture = _ARCHITECTURE_ALIASES.get(architecture, architecture)
    aliases = _VARIANT_ALIASES.get(architecture, {})
    return replace(
        platform,
        os=_OS_ALIASES.get(os, os),
        architecture=architecture,
        variant=aliases.get(variant, variant),
    )


def agrees(asked: Platform, found: Platform) -> bool:
    """Say whether an image of platform ``found`` is what ``asked`` asks for.

    Both are compared in their normal form. A variant that was not asked for may be any; the
    version of the operating system is not compared.
    """
    want, have = normalize(asked), normalize(found)
    if (want.os, want.architecture) != (have.os, have.architecture):
        return False
    return not says_variant(asked) or want.variant == have.variant


def resolve_platform(asked: Platform, found: Platform) -> Platform:
    """Return the platform to publish for an image of platform ``found`` that was asked for so.

    What was asked stands; what it leaves open is filled from the image, as far as the image is
    of that operating system and architecture.
    """
    want, have = normalize(asked), normalize(found)
    if want.os != have.os:
        return want
    same_architecture = want.architecture == have.architecture
    filled = same_architecture and not says_variant(asked)
    return replace(
        want,
        variant=have.variant if filled else want.variant,
        os_version=want.os_version or have.os_version,
        os_features=want.os_features or have.os_features,
    )


def resolve_platform_as_written(asked: Platform, found: Platform) -> Platform:
    """Return the platform to publish as manifest-tool does: nothing is put into normal form.

    What was asked stands as it was written; what it leaves open is filled from the image as that
    writes it, the variant only if the image is of that architecture.
    """
    os = asked.os or found.os
    architecture = asked.architecture or found.architecture
    of_one_kind = normalize(Platform(os, architecture)).architecture == (
        normalize(found).architecture
    )
    return Platform(
        os,
        architecture,
        asked.variant or (found.variant if of_one_kind else ""),
        asked.os_version or found.os_version,
        asked.os_features or found.os_features,
    )


def unknown_platform(platform: Platform) -> str:
    """Return a warning where a platform has a name that no tool knows, or an empty string.

    Platforms are not limited to a list, as new ones come before new versions of this do; but a
    name close to a known one is most likely misspelt.
    """
    normal = normalize(platform)
    checked = ((normal.os, _KNOWN_SYSTEMS), (normal.architecture, _KNOWN_ARCHITECTURES))
    strange = [(name, known) for name, known in checked if name and name not in known]
    if not strange or normal.os == normal.architecture == "unknown":
        return ""
    from difflib import get_close_matches

    meant = [close[0] for name, known in strange if (close := get_close_matches(name, known, 1))]
    suggestion = f"; did you mean {' and '.join(meant)}?" if meant else ""
    return f"{printable(str(platform))} is not a platform that is known{suggestion}"


def says_variant(platform: Platform) -> bool:
    """Say whether a platform names a variant, be it by an architecture such as ``armhf``."""
    return bool(platform.variant) or platform.architecture.lower() in _ARM_ALIASES
