"""Reads spec files: a target and its images in YAML, in manifest-tool's format.

    image: reg.example/app:1.0
    tags: ["1", latest]
    annotations: {org.opencontainers.image.title: app}
    manifests:
      - image: reg.example/app-amd64:1.0
      - image: reg.example/app-armv7:1.0
        platform: {os: linux, architecture: arm, variant: v7}

Scalars are kept as they are written: ``1.0`` is a tag, ``386`` an architecture. An unknown key is
an error, since a misspelt key would change what is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import yaml

from oci_merge import _keywords as take
from oci_merge._text import listed, printable
from oci_merge.errors import SpecError
from oci_merge.model.platform import Platform
from oci_merge.planning.spec import Spec, SpecImage

# Tags that YAML gives to plain scalars. All of them are read as text, so 1.10 stays 1.10.
_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool"))
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_OTHER_SCALARS = frozenset({"tag:yaml.org,2002:timestamp"})
_PLATFORM_KEYS = (
    "os",
    "architecture",
    "variant",
    "osversion",
    "os.version",
    "osfeatures",
    "os.features",
)


def parse_spec(text: str, *, name: str) -> Spec:
    """Read a spec.

    Args:
        text: the YAML document.
        name: the file's name, for errors.

    Returns:
        The spec; its references are not checked yet.

    Raises:
        SpecError: the text is not YAML, a required key is missing, or a key or value is not part
            of the format. The message names the line.
    """
    text, name = take.text("text", text), printable(take.text("name", name))
    try:
        # Nodes and not values: they have line numbers, and scalars as they are written.
        reader = _Reader(text, name)
        root = reader.loader.get_single_node()
        if root is None:
            raise SpecError(f"the spec {name} is empty")
        return _spec(reader, root)
    except yaml.YAMLError as error:
        raise SpecError(
            f"the spec {name} is not YAML: {_problem(error)}",
            hint="check the indentation, and quote values that hold ': ' or ' #'",
        ) from None
    except RecursionError:
        raise SpecError(f"the spec {name} is nested too deeply") from None


def _spec(reader: _Reader, root: yaml.Node) -> Spec:
    fields = reader.mapping(root, ("image", "manifests", "tags", "annotations"), "the spec")
    for required in ("image", "manifests"):
        if required not in fields:
            raise SpecError(f"the spec {reader.name} has no {required!r}")
    manifests = reader.sequence(fields["manifests"], "manifests")
    if not manifests:
        raise SpecError(
            f"the spec {reader.name} lists no image under 'manifests'",
            hint="name at least one image",
        )
    tags = reader.sequence(fields["tags"], "tags") if "tags" in fields else []
    annotations = fields.get("annotations")
    return Spec(
        image=reader.text(fields["image"], "image"),
        manifests=tuple(_image(reader, node) for node in manifests),
        tags=tuple(reader.text(node, "tags") for node in tags),
        annotations=_annotations(reader, annotations) if annotations is not None else {},
    )


def _image(reader: _Reader, node: yaml.Node) -> SpecImage:
    fields = reader.mapping(node, ("image", "platform"), "an image")
    if "image" not in fields:
        raise reader.error(node, "an entry of 'manifests' has no 'image'")
    platform = fields.get("platform")
    return SpecImage(
        reader.text(fields["image"], "image"),
        _platform(reader, platform) if platform is not None else None,
    )


def _platform(reader: _Reader, node: yaml.Node) -> Platform | None:
    fields = reader.mapping(node, _PLATFORM_KEYS, "a platform")

    def text(*names: str) -> str:
        """Return the value of a key that may be spelt in several ways."""
        given = [name for name in names if name in fields]
        if len(given) > 1:
            raise reader.error(
                node, f"{listed(given)} are the same key", hint=f"leave out {given[-1]!r}"
            )
        return reader.text(fields[given[0]], given[0]) if given else ""

    features = fields.get("osfeatures", fields.get("os.features"))
    platform = Platform(
        text("os"),
        text("architecture"),
        text("variant"),
        text("osversion", "os.version"),
        tuple(
            reader.text(item, "osfeatures")
            for item in (reader.sequence(features, "osfeatures") if features is not None else [])
        ),
    )
    if bool(platform.os) != bool(platform.architecture):
        raise reader.error(node, "a platform needs both 'os' and 'architecture', or neither")
    return platform if platform != Platform("", "") else None


def _annotations(reader: _Reader, node: yaml.Node) -> dict[str, str]:
    return {key: reader.text(value, key) for key, value in reader.mapping(node, None, "").items()}


_Pair = tuple[yaml.Node, yaml.Node]


class _Reader:
    """Reads mappings, lists and text from YAML nodes; its errors name the line.

    Args:
        text: the YAML document.
        name: the file's name, for errors.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.loader = yaml.SafeLoader(text)
        self._flat: dict[yaml.Node, dict[str, _Pair]] = {}

    def error(self, node: yaml.Node, message: str, hint: str = "") -> SpecError:
        """Return an error whose message names the node's line."""
        return SpecError(f"{self.name}, line {node.start_mark.line + 1}: {message}", hint=hint)

    def mapping(
        self, node: yaml.Node, known: Sequence[str] | None, what: str
    ) -> dict[str, yaml.Node]:
        """Return a mapping's values by key; values that are null are left out.

        Args:
            node: the node.
            known: the keys that are allowed; None for any.
            what: names the mapping in errors.

        Raises:
            SpecError: the node is not a mapping, or has an unknown key or one key twice.
        """
        if not isinstance(node, yaml.MappingNode):
            if node.tag == _NULL:
                return {}
            raise self.error(node, f"{what or 'this'} has to be a mapping of keys to values")
        fields: dict[str, yaml.Node] = {}
        for key, (key_node, value) in self._pairs(node).items():
            if known is not None and key not in known:
                raise self.error(
                    key_node,
                    f"{printable(key)!r} is not a key of {what}",
                    hint=f"known keys are {listed(list(known))}",
                )
            fields[key] = value
        return {key: value for key, value in fields.items() if value.tag != _NULL}

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """Return a list's items; null is an empty list.

        Raises:
            SpecError: the node is not a list.
        """
        if isinstance(node, yaml.SequenceNode):
            return cast("list[yaml.Node]", node.value)
        if node.tag == _NULL:
            return []
        raise self.error(node, f"{what!r} has to be a list")

    def text(self, node: yaml.Node, what: str) -> str:
        """Return a scalar as it is written.

        Raises:
            SpecError: the node is not a scalar, or binary.
        """
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS | _OTHER_SCALARS:
            return cast(str, node.value)
        raise self.error(node, f"{printable(what)!r} has to be text")

    def _pairs(self, node: yaml.MappingNode) -> dict[str, _Pair]:
        """Return a mapping's pairs by key, including those merged by ``<<``."""
        # Each mapping is flattened once and kept: nested merges of merges (a "billion laughs"
        # document) would otherwise take exponential time.
        if node not in self._flat:
            pairs = self._flat[node] = {}
            self._check_keys(node)
            for key, value in node.value:
                if key.tag == _MERGE:
                    for source in value.value if value.id == "sequence" else [value]:
                        if not isinstance(source, yaml.MappingNode):
                            raise self.error(source, "what is merged has to be a mapping")
                        for name, pair in self._pairs(source).items():
                            pairs.setdefault(name, pair)
            own = ((key, value) for key, value in node.value if key.tag != _MERGE)
            pairs.update((self.text(key, "a key"), (key, value)) for key, value in own)
        return self._flat[node]

    def _check_keys(self, node: yaml.MappingNode) -> None:
        """Refuse a mapping that has one key twice.

        Raises:
            SpecError: a key is repeated. Overriding a merged key is allowed.
        """
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise self.error(key, f"the key {printable(key.value)!r} stands here twice")
            seen.add(key.value)


def _problem(error: yaml.YAMLError) -> str:
    """Return YAML's problem and its line number as one line of text."""
    mark = getattr(error, "problem_mark", None)
    problem = printable(str(getattr(error, "problem", None) or error).partition("\n")[0])
    return f"{problem} in line {mark.line + 1}" if mark else problem
