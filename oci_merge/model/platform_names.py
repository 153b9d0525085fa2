"""The names of systems, architectures and variants, and how else people write them. Pure.

The names are Go's (``go tool dist list``). The variants are those of the OCI image spec, "Platform
Variants", and of Go (GOAMD64, GOARM, GOARM64, GO386, GOMIPS, GOPPC64, GORISCV64, GOWASM). The other
spellings include containerd's aliases (containerd/platforms, ``normalizeArch``).
"""

from __future__ import annotations

import re

#: GOOS and GOARCH: the names that Go, and so every container tool, uses.
SYSTEMS = (
    *("aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux"),
    *("netbsd", "openbsd", "plan9", "solaris", "wasip1", "wasi", "windows"),
)
ARCHITECTURES = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"),
    *("ppc64", "ppc64le", "riscv64", "s390x", "wasm"),
)

_SYSTEM_ALIASES = {"macos": "darwin"}
# Containerd's, and what uname, Debian, RPM, Rust and LLVM call the same.
_ALIASES = {
    **dict.fromkeys(("i386", "i486", "i586", "i686", "x86", "ia32"), "386"),
    **dict.fromkeys(("x86_64", "x86-64", "x64"), "amd64"),
    "aarch64": "arm64",
    **dict.fromkeys(("ppc64el", "powerpc64le"), "ppc64le"),
    "mipsel": "mipsle",
    "mips64el": "mips64le",
    "loongarch64": "loong64",
    "riscv64gc": "riscv64",
    "wasm32": "wasm",
}
_ARM_ENDING = r"(?:l|hl|hf|te|tel|tej|tejl|-?a)?"
# Names that hold a variant, such as armv7l, arm64v8 and amd64_v1. A bare armv8 is not among them:
# some mean arm64 by it and some do not.
_WITH_VARIANT = (
    ("arm", re.compile(rf"arm(?:32)?[-_]?v?([5-7]){_ARM_ENDING}")),
    ("arm", re.compile(r"(?:arm32[-_]?v|armv(?=8l))(8)l?")),
    ("arm64", re.compile(r"(?:arm64|aarch64)[-_]?v?([89](?:\.\d)?)(?:-?a)?")),
    ("amd64", re.compile(r"(?:amd64|x86[-_]64)[-_]?v([1-4])")),
)
_ARM_NAMES = {"armhf": "v7", "armhfp": "v7", "armel": "v6"}

# A variant as it is written, with what is kept of it behind the v.
_SPELT_VARIANTS = {
    "amd64": re.compile(r"(?:(?:amd64|x86[-_]64)[-_]?)?v?([1-4])"),
    "arm": re.compile(rf"(?:arm(?:32)?[-_]?)?v?([5-8]){_ARM_ENDING}"),
    "arm64": re.compile(r"(?:(?:arm|aarch)(?:64)?[-_]?)?v?([89](?:\.\d)?)(?:-?a)?"),
}
# By architecture, in normal form. v8 is the base of arm64 and v1 that of amd64, and both are left
# out; a plain arm means v7.
_BASES = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm", ""): "v7"}
_FLOATS = re.compile("hardfloat|softfloat")
_POWER = re.compile(r"power\d{1,2}")
_NONE = re.compile("(?!)")
_VARIANTS = {
    "386": re.compile("sse2|softfloat"),
    "amd64": re.compile("v[2-4]"),
    "arm": re.compile("v[5-8]"),
    "arm64": re.compile(r"v8\.[1-9]|v9(?:\.[1-9])?"),
    **dict.fromkeys(("mips", "mipsle", "mips64", "mips64le"), _FLOATS),
    **dict.fromkeys(("ppc64", "ppc64le"), _POWER),
    "riscv64": re.compile(r"rv[abm]\d\du64"),
    **dict.fromkeys(("loong64", "s390x"), _NONE),
    "wasm": re.compile("satconv|signext|satconv,signext"),
}


def normal_names(os: str, architecture: str, variant: str) -> tuple[str, str, str]:
    """Return os, architecture and variant in normal form.

    Args:
        os: the operating system, as it is written.
        architecture: the architecture, as it is written. It may hold what belongs elsewhere, such
            as ``arm/v7``, ``linux/amd64`` or ``armv7l``.
        variant: the variant, as it is written.

    Returns:
        The names that containerd uses. An unknown name is in lower case and otherwise as it is
        written, and so is a variant that the architecture does not have.
    """
    os, name, inner = _apart(os.strip().lower(), architecture.strip().lower())
    variant = inner or variant.strip().lower()
    architecture, held = _architecture(name)
    if name == "i386":
        variant = ""
    return (
        _SYSTEM_ALIASES.get(os, os),
        architecture,
        _variant(architecture, held or variant),
    )


def names_variant(architecture: str) -> bool:
    """Say whether the name of an architecture holds a variant, as ``armhf`` and ``arm/v7`` do."""
    _, name, inner = _apart("", architecture.strip().lower())
    return bool(inner or _architecture(name)[1])


def has_variant(architecture: str, variant: str) -> bool:
    """Say whether an architecture has a variant, both in normal form.

    An architecture that is not known may have any.
    """
    known = _VARIANTS.get(architecture)
    return not variant or known is None or known.fullmatch(variant) is not None


def misplaced(architecture: str) -> bool:
    """Say whether the name of an architecture holds another part of a platform, as ``arm/v7``."""
    return "/" in architecture


def plain_variant(variant: str, normal: str) -> bool:
    """Say whether a variant is written as itself or as its number, ``7`` for ``v7``."""
    text = variant.lower()
    return text in ("", normal) or re.fullmatch(r"v?\d{1,2}(?:\.\d)?", text) is not None


def _apart(os: str, architecture: str) -> tuple[str, str, str]:
    """Split what stands in the architecture: os, architecture and variant."""
    parts = architecture.split("/")
    if len(parts) in (2, 3) and parts[0] in SYSTEMS and os in ("", parts[0]):
        os, *parts = parts
    if len(parts) == 2 and all(parts):
        return os, parts[0], parts[1]
    return os, "/".join(parts), ""


def _architecture(name: str) -> tuple[str, str]:
    """Return an architecture's name, and the variant that the given name holds."""
    if name in _ARM_NAMES:
        return "arm", _ARM_NAMES[name]
    for architecture, pattern in _WITH_VARIANT:
        if found := pattern.fullmatch(name):
            return architecture, f"v{found[1]}"
    return _ALIASES.get(name, name), ""


def _variant(architecture: str, variant: str) -> str:
    spelt = _SPELT_VARIANTS.get(architecture)
    if architecture == "arm":
        variant = _ARM_NAMES.get(variant, variant)
    if spelt and (found := spelt.fullmatch(variant)):
        variant = f"v{found[1].removesuffix('.0')}"
    return _BASES.get((architecture, variant), variant)
