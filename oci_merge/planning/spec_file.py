"""Reads spec files: a target and its images in YAML, in manifest-tool's format.

    image: reg.example/app:1.0
    tags: ["1", latest]
    annotations: {org.opencontainers.image.title: app}
    manifests:
      - image: reg.example/app-amd64:1.0
      - image: reg.example/app-armv7:1.0
        platform: {os: linux, architecture: arm, variant: v7}

Scalars are kept as they are written: ``1.0`` is a tag, ``386`` an architecture. An unknown key is
an error, since a misspelt key would change what is published. ``features`` and ``version`` under a
platform are known and left out with a warning, because many specs have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from oci_merge import _keywords as take
from oci_merge._text import listed, printable
from oci_merge.errors import SpecError
from oci_merge.model.platform import Platform
from oci_merge.planning.spec import Spec, SpecImage
from oci_merge.planning.spec_yaml import SpecReader

#: What a spec consists of.
SPEC_KEYS = ("image", "manifests", "tags", "annotations")

_PLATFORM_KEYS = (
    "os",
    "architecture",
    "variant",
    "osversion",
    "os.version",
    "osfeatures",
    "os.features",
)
#: Keys that manifest-tool reads over without a word.
_OLD_KEYS = ("features", "version")
#: A version of Windows as images have it; 1809 and ltsc2022 are names of releases.
_BUILD = re.compile(r"\d+(\.\d+){2,3}", re.ASCII)


def parse_spec(text: str, *, name: str) -> Spec:
    """Read a spec.

    Args:
        text: the YAML document, of 512 KiB at most.
        name: the file's name, for errors.

    Returns:
        The spec; its references are not checked yet. Its warnings say what was left out.

    Raises:
        SpecError: the text is not YAML, a required key is missing, a key or value is not part of
            the format, or nobody filled a placeholder. The message names the line.
        UsageError: an argument is not text.
    """
    text, name = take.text("text", text), printable(take.text("name", name))
    try:
        reader = SpecReader(text, name)
        return _spec(reader, reader.root())
    except RecursionError:
        raise SpecError(f"the spec {name} is nested too deeply") from None


def _spec(reader: SpecReader, root: yaml.Node) -> Spec:
    fields = reader.mapping(root, SPEC_KEYS, "the spec")
    for required in ("image", "manifests"):
        if required not in fields:
            raise SpecError(f"the spec {reader.name} has no {required!r}")
    return spec_of(reader, fields)


def spec_of(reader: SpecReader, fields: Mapping[str, yaml.Node]) -> Spec:
    """Return the spec of a mapping's fields, ``image`` and ``manifests`` among them.

    Raises:
        SpecError: as by ``parse_spec``.
    """
    manifests = reader.sequence(fields["manifests"], "manifests")
    if not manifests:
        raise SpecError(
            f"the spec {reader.name} lists no image under 'manifests'",
            hint="name at least one image",
        )
    tags = reader.sequence(fields["tags"], "tags") if "tags" in fields else []
    annotations = fields.get("annotations")
    warnings: list[str] = []
    return Spec(
        image=reader.filled(fields["image"], "image"),
        manifests=tuple(spec_image(reader, node, warnings) for node in manifests),
        tags=tuple(reader.filled(node, "tags") for node in tags),
        annotations=text_pairs(reader, annotations) if annotations is not None else {},
        warnings=tuple(dict.fromkeys(warnings)),
    )


def spec_image(reader: SpecReader, node: yaml.Node, warnings: list[str]) -> SpecImage:
    """Return an entry of ``manifests``, and append what is read otherwise than it is written.

    Raises:
        SpecError: as by ``parse_spec``.
    """
    fields = reader.mapping(node, ("image", "platform"), "an image")
    if "image" not in fields:
        raise reader.error(node, "an entry of 'manifests' has no 'image'")
    image = reader.filled(fields["image"], "image")
    platform = fields.get("platform")
    if platform is None:
        return SpecImage(image)
    return SpecImage(image, _platform(reader, platform, image, warnings))


def _platform(
    reader: SpecReader, node: yaml.Node, image: str, warnings: list[str]
) -> Platform | None:
    fields = reader.mapping(node, (*_PLATFORM_KEYS, *_OLD_KEYS), "a platform")

    def given(*names: str) -> tuple[str, yaml.Node | None]:
        """Return the name and the value of a key that may be spelt in several ways."""
        found = [name for name in names if name in fields]
        if len(found) > 1:
            raise reader.error(
                node, f"{listed(found)} are the same key", hint=f"leave out {found[-1]!r}"
            )
        return (found[0], fields[found[0]]) if found else (names[0], None)

    def text(*names: str) -> str:
        name, value = given(*names)
        return reader.filled(value, name) if value is not None else ""

    def texts(*names: str) -> tuple[str, ...]:
        name, value = given(*names)
        items = reader.sequence(value, name) if value is not None else []
        return tuple(reader.filled(item, name) for item in items)

    version, old_version = text("osversion", "os.version"), text("version")
    is_build = not version and _BUILD.fullmatch(old_version) is not None
    about = _about_old_keys(old_version, is_build=is_build, has_features=bool(texts("features")))
    warnings += [f"{reader.place(node)}: {printable(image)} {said}" for said in about]
    platform = Platform(
        text("os"),
        text("architecture"),
        text("variant"),
        old_version if is_build else version,
        texts("osfeatures", "os.features"),
    )
    if bool(platform.os) != bool(platform.architecture):
        raise reader.error(node, "a platform needs both 'os' and 'architecture', or neither")
    return platform if platform != Platform("", "") else None


def _about_old_keys(version: str, *, is_build: bool, has_features: bool) -> list[str]:
    """Return the warnings about keys that manifest-tool reads over, to follow an image's name."""
    said = []
    if is_build:
        said.append(f"has 'version: {version}', which is taken as its osversion")
    elif version:
        # A release's name as os.version would keep every client from finding the image.
        said.append(
            f"is published without its 'version: {printable(version, limit=60)}': "
            "the image itself says its os.version; write osversion for another"
        )
    if has_features:
        said.append(
            "is published without its 'features', which no client reads; "
            "write osfeatures for what Windows has to have"
        )
    return said


def text_pairs(reader: SpecReader, node: yaml.Node) -> dict[str, str]:
    """Return a mapping of texts, such as annotations.

    Raises:
        SpecError: the node is none.
    """
    return {key: reader.text(value, key) for key, value in reader.mapping(node, None, "").items()}
