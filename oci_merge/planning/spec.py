"""Specs: manifest-tool's description of a target and its images.

``spec_file`` reads one from YAML; ``spec_from_template`` makes one of a template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from oci_merge import _keywords as take
from oci_merge._frozen import frozen
from oci_merge._text import listed, printable
from oci_merge.errors import InvalidPlatformError, TemplateError
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference

_PLACEHOLDERS = ("ARCH", "OS", "VARIANT")

_PLATFORMS = take.several(take.platform)
_TAGS = take.several(take.tag)
_ANNOTATIONS = take.pairs("annotation")


@frozen
class SpecImage:
    """One image of a spec.

    Attributes:
        image: its reference, not checked yet.
        platform: the platform to publish it under; None to read it from the image's config.
    """

    image: str
    platform: Platform | None = None


@frozen
class Spec:
    """A target and the images to join. The names of the fields are those of manifest-tool.

    Attributes:
        image: the target's reference, not checked yet.
        manifests: the images, in order.
        tags: additional tags to publish, as names or as references with the target's repository.
        annotations: annotations of the index.
        warnings: what was read otherwise than it is written; a push passes them on.
    """

    image: str
    manifests: tuple[SpecImage, ...]
    tags: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(default=(), compare=False)


def spec_from_template(
    *,
    platforms: Iterable[str | Platform],
    template: str,
    target: str | Reference,
    tags: Iterable[str | Reference] = (),
    annotations: Mapping[str, str] | None = None,
) -> Spec:
    """Make a spec of a template, by the rules of manifest-tool's ``push from-args``.

    Args:
        platforms: the platforms, as ``os/architecture[/variant]``.
        template: the reference of the images, with placeholders.
        target: the target's reference.
        tags: additional tags, as names or as references with the target's repository.
        annotations: annotations of the index.

    Returns:
        The spec, with one image for each platform.

    Raises:
        InvalidPlatformError: a platform is not of that form.
        TemplateError: there are several platforms, but the template has no placeholder.
        UsageError: an argument is of a wrong type.
    """
    template = take.text("template", template)
    asked = _PLATFORMS("platforms", platforms)
    # manifest-tool publishes the one image under all platforms, which nobody wants. One platform
    # without a placeholder is fine.
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
    # Unlike template.expand: only the first occurrence of each, in this order, and each in the
    # result of the one before. This has to give the same names as manifest-tool.
    image = template.replace("ARCH", platform.architecture, 1).replace("OS", platform.os, 1)
    return SpecImage(image.replace("VARIANT", platform.variant, 1), platform)
