"""Expands templates: replaces ARCH, OS and VARIANT to get one reference for each platform."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oci_merge.errors import InvalidReferenceError, TemplateError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.model.slips import template_hint, unfilled_hint
from oci_merge.planning.job import Candidate

_PLACEHOLDER = re.compile("ARCH|OS|VARIANT")

# The platforms to look for where the user names none: those that images are usually built for.
_LINUX = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("linux", "arm", "v7"),
    Platform("linux", "arm", "v6"),
    Platform("linux", "arm", "v5"),
    Platform("linux", "386"),
    Platform("linux", "ppc64le"),
    Platform("linux", "s390x"),
    Platform("linux", "riscv64"),
    Platform("linux", "loong64"),
    Platform("linux", "mips64le"),
)
_WINDOWS = (Platform("windows", "amd64"), Platform("windows", "arm64"))


def expand(template: str, platform: Platform, aliases: Mapping[str, str]) -> Reference:
    """Expand a template for one platform.

    Every placeholder in the repository and in the tag is replaced; the registry's name is kept.

    Args:
        template: for example ``reg.example/app-ARCHVARIANT:1.0``.
        platform: the platform, as the user wrote it.
        aliases: other names for architectures, such as ``{"amd64": "x86_64"}``.

    Returns:
        The reference.

    Raises:
        TemplateError: the template has no placeholder, an empty VARIANT would leave a separator
            behind, or the result is not a valid reference.
    """
    check_template(template)
    _, scheme, rest = template.partition("://")
    if scheme:
        raise TemplateError(f"the template {template!r} has a scheme", hint=f"write {rest}")
    if hint := unfilled_hint(template):
        raise TemplateError(f"the template {template!r} gives no reference", hint=hint)
    registry, path = _split_registry(template)
    values = {
        "ARCH": aliases.get(platform.architecture, platform.architecture),
        "OS": platform.os,
        "VARIANT": platform.variant,
    }
    if not platform.variant:
        _check_separators(template, path, platform)
    # In one pass, so that a value that contains a placeholder's name is not replaced again.
    text = registry + _PLACEHOLDER.sub(lambda match: values[match[0]], path)
    try:
        return parse_reference(text)
    except InvalidReferenceError as error:
        # The error names the result, too, and once is enough.
        said = error.message.replace(f"{text!r}", "which").replace("which: ", "where ")
        raise TemplateError(
            f"the template {template!r} gives {text!r} for {platform}, {said}", hint=error.hint
        ) from error


def candidates(template: str, aliases: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Expand a template for the usual platforms.

    Args:
        template: as for ``expand``.
        aliases: as for ``expand``.

    Returns:
        Each reference once, with the platforms that it stands for, in the order of the platforms.
        Windows is included only if the template contains OS.

    Raises:
        TemplateError: as ``expand`` does.
    """
    check_template(template)
    _, path = _split_registry(template)
    known = _LINUX + _WINDOWS if "OS" in _PLACEHOLDER.findall(path) else _LINUX
    found: dict[Reference, tuple[Platform, ...]] = {}
    for platform in known:
        reference = expand(template, platform, aliases)
        found[reference] = (*found.get(reference, ()), platform)
    return tuple(
        Candidate(reference, platforms, _named(path, platforms[0]))
        for reference, platforms in found.items()
    )


def _named(path: str, platform: Platform) -> Platform | None:
    """Return the parts of a platform that a template puts into a reference."""
    words = _PLACEHOLDER.findall(path)
    if "ARCH" not in words:
        return None
    return Platform(
        platform.os if "OS" in words else "",
        platform.architecture,
        platform.variant if "VARIANT" in words else "",
    )


def check_template(template: str) -> None:
    """Check that a template has a placeholder in its repository or tag.

    Raises:
        TemplateError: the template has none, so all platforms would get the same image.
    """
    if not _PLACEHOLDER.search(_split_registry(template)[1]):
        raise TemplateError(
            f"the template {template!r} has none of the placeholders ARCH, OS and VARIANT",
            hint=template_hint(template),
        )


def _split_registry(template: str) -> tuple[str, str]:
    """Split a template after its registry; ``("", template)`` if it has none."""
    # Unlike in a reference, upper case does not mark a registry: it may be a placeholder.
    first, slash, rest = template.partition("/")
    if slash and (set(first) & set(".:[") or first == "localhost"):
        return first + slash, rest
    return "", template


def _check_separators(template: str, path: str, platform: Platform) -> None:
    """Refuse a VARIANT that stands alone between separators, for a platform without variant.

    Raises:
        TemplateError: it would leave a separator behind, as ``app-arm64-`` does.
    """
    if re.search(r"(?:^|[^A-Za-z0-9])VARIANT(?:$|[^A-Za-z0-9])", path):
        raise TemplateError(
            f"{platform} has no variant, so VARIANT leaves a separator behind in {template!r}",
            hint="write ARCHVARIANT, which gives armv7 and amd64, or give every platform a variant",
        )
