"""manifest-tool's specs: a target and its images. ``spec_file`` reads them from YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oci_merge import _keywords as take
from oci_merge._text import listed, printable
from oci_merge.errors import InvalidPlatformError, TemplateError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference

_PLACEHOLDERS = ("ARCH", "OS", "VARIANT")

_PLATFORMS = take.several(take.platform)
_TAGS = take.several(take.text)
_ANNOTATIONS = take.pairs("annotation")


@dataclass(frozen=True, slots=True)
class SpecImage:
    """One image of a spec.

    Attributes:
        image: its reference.
        platform: the platform to publish it as; None where its config says it.
    """

    image: str
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """A target and the images to join under it.

    Attributes:
        image: the target's reference.
        manifests: the images, in order.
        tags: more tags to publish, as bare names.
        annotations: annotations of the index.
    """

    image: str
    manifests: tuple[SpecImage, ...]
    tags: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def spec_from_template(
    *,
    platforms: Iterable[str | Platform],
    template: str,
    target: str | Reference,
    tags: Iterable[str] = (),
    annotations: Mapping[str, str] | None = None,
) -> Spec:
    """Make the spec that manifest-tool makes of its ``from-args`` command.

    Unlike in ``template.expand``, the first occurrence of ARCH, OS and VARIANT is replaced, in
    that order, each in what the one before has given.

    Args:
        platforms: ``os/architecture[/variant]`` each.
        template: one reference for all platforms.
        target: the target's reference.
        tags: more tags, as bare names.
        annotations: annotations of the index.

    Raises:
        InvalidPlatformError: a platform has another shape.
        TemplateError: the template has no placeholder, but there are several platforms.
        UsageError: an argument is of a wrong type.
    """
    template = take.text("template", template)
    asked = _PLATFORMS("platforms", platforms)
    if len(asked) > 1 and not any(word in template for word in _PLACEHOLDERS):
        raise TemplateError(
            f"the template {printable(template)!r} has none of {listed(_PLACEHOLDERS)}, "
            "so all platforms would get one image",
            hint="write it like reg.example/app-ARCH:1.0",
        )
    return Spec(
        image=take.reference("target", target),
        manifests=tuple(_image(template, _platform(platform)) for platform in asked),
        tags=_TAGS("tags", tags),
        annotations={} if annotations is None else _ANNOTATIONS("annotations", annotations),
    )


def _platform(platform: str | Platform) -> Platform:
    if isinstance(platform, Platform):
        return platform
    parts = platform.strip().split("/")
    if len(parts) not in (2, 3) or not all(parts[:2]):
        raise InvalidPlatformError(
            f"{printable(platform)!r} is not a platform",
            hint="a platform is os/architecture or os/architecture/variant",
        )
    os, architecture, variant = (*parts, "")[:3]
    return Platform(os, architecture, variant)


def _image(template: str, platform: Platform) -> SpecImage:
    image = template.replace("ARCH", platform.architecture, 1).replace("OS", platform.os, 1)
    return SpecImage(image.replace("VARIANT", platform.variant, 1), platform)
