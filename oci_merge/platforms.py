"""Platforms: their text form, their normal form, and when two of them agree.

The normal form is containerd's, so that what is published is what runtimes look for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from oci_merge.errors import InvalidPlatformError
from oci_merge.text import printable

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
        The platform as written, not normalised.

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


def normalise(platform: Platform) -> Platform:
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
    want, have = normalise(asked), normalise(found)
    if (want.os, want.architecture) != (have.os, have.architecture):
        return False
    return not _asks_variant(asked) or want.variant == have.variant


def settle(asked: Platform, found: Platform) -> Platform:
    """Return the platform to publish for an image of platform ``found`` that was asked for so.

    What was asked stands; what it leaves open is filled from the image, as far as the image is
    of that operating system and architecture.
    """
    want, have = normalise(asked), normalise(found)
    if want.os != have.os:
        return want
    same_architecture = want.architecture == have.architecture
    filled = same_architecture and not _asks_variant(asked)
    return replace(
        want,
        variant=have.variant if filled else want.variant,
        os_version=want.os_version or have.os_version,
        os_features=want.os_features or have.os_features,
    )


def _asks_variant(asked: Platform) -> bool:
    """Say whether a variant was asked for, be it by a name such as ``armhf``."""
    return bool(asked.variant) or asked.architecture.lower() in _ARM_ALIASES
