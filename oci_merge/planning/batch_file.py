"""Reads batch files: many images, each with what a merge of it takes. Pure.

    defaults:
      template: ${REGISTRY}/${name}-ARCH:${VERSION:-edge}
      target: ${REGISTRY}/${name}:${VERSION:-edge}
    images:
      - name: app
        tags: [latest]
      - name: web
        platforms: [linux/amd64, linux/arm64]
      - image: reg.example/tool:1.0
        manifests:
          - image: reg.example/tool-amd64:1.0

The keys of an image are the keywords of a merge; one with ``image`` is a spec of manifest-tool,
and is pushed by its rules. A document that is such a spec is a batch of one, and a file may have
several documents. Variables are substituted
in values alone, and after parsing, so that no value changes what the file asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import yaml

from oci_merge import _keywords as take
from oci_merge._text import listed, printable
from oci_merge.errors import SpecError, UsageError
from oci_merge.model.platform import Platform, parse_platform
from oci_merge.planning.batch import BatchImage
from oci_merge.planning.batch_keys import INSTEAD, MERGE_KEYS, PUSH_KEYS, Key
from oci_merge.planning.duration import parse_duration
from oci_merge.planning.spec_file import SPEC_KEYS, spec_image, spec_of, text_pairs
from oci_merge.planning.spec_yaml import NULL, TAB_HINT, SpecReader
from oci_merge.planning.variables import has_default, substituted

#: The longest batch file, in characters: 20,000 images and more. libyaml reads 4 MiB in a second.
MAX_BATCH = 1 << 23
#: How many values all images may have together, and how many characters in them: aliases and
#: defaults can multiply what is written.
_MOST_VALUES = 1_000_000
_MOST_CHARACTERS = 1 << 24

_TOP_KEYS = ("defaults", "images", "$schema")
#: Keys beginning so are for people and for anchors, as in compose files.
_EXTENSION = "x-"
_NAME = "name"
_SPEC_ENTRY_KEYS = (_NAME, *SPEC_KEYS, *PUSH_KEYS)
_MERGE_ENTRY_KEYS = (_NAME, *MERGE_KEYS)
_COMPONENT_KEYS = ("template", "sources", "manifests", "source_files")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
#: Defaults that say nothing about a spec of manifest-tool, since it lists its images.
_UNSAID = ("template", "platforms", "arch_aliases", "sources", "manifests", "target", "targets")

_T = TypeVar("_T")
_Fields = Mapping[str, yaml.Node]
#: A key's nodes: the image's own, or the defaults' and then the image's, for pairs.
_Nodes = tuple[yaml.Node, ...]


def parse_batch(
    text: str, *, name: str, variables: Mapping[str, str] | None = None
) -> tuple[BatchImage, ...]:
    """Read a batch file.

    Args:
        text: the YAML document, of 8 MiB at most.
        name: the file's name, for errors.
        variables: what ``${NAME}`` stands for in values, for example ``os.environ``.

    Returns:
        Its images, in order; their references are checked by ``Client.batch``, all before the
        first request.

    Raises:
        SpecError: the text is not YAML, a required key is missing, a key or value is not part of
            the format, or a variable is not set. The message names the line.
        UsageError: an argument is of a wrong type.
    """
    text, name = take.text("text", text), printable(take.text("name", name))
    values = {} if variables is None else _variables("variables", variables)
    try:
        reader = _BatchReader(text.removeprefix("\ufeff"), name, values)
        return tuple(image for root in reader.roots() for image in _batch(reader, root))
    except RecursionError:
        raise SpecError(f"the batch file {name} is nested too deeply") from None


def _variables(name: str, value: object) -> dict[str, str]:
    # os.environ may have values that cannot be written as UTF-8; only those that are used matter.
    if not isinstance(value, Mapping):
        raise take.mistyped(name, "a mapping of texts", value, f"write {name}=os.environ")
    return dict(value)


#: How deep a batch file may be nested.
_MOST_LEVELS = 200


class _BatchReader(SpecReader):
    """Reads a batch file; texts are given with their variables substituted.

    Args:
        text: the YAML document.
        name: the file's name, safe to print.
        variables: the variables by name.
    """

    _noun = "batch file"
    _longest = MAX_BATCH
    _longest_hint = "divide it into several files"
    _most_merged = _MOST_VALUES

    def __init__(self, text: str, name: str, variables: Mapping[str, str]) -> None:
        try:
            super().__init__(text, name)
        except UnicodeEncodeError:
            raise SpecError(f"the batch file {name} has half a surrogate pair in it") from None
        self._variables = variables
        self._values = variables
        self._values_read = 0
        self._characters_read = 0

    def _load(self, text: str) -> Any:
        # Ten times as fast, where PyYAML was built with libyaml; it takes tabs as libyaml does.
        if not yaml.__with_libyaml__:
            return super()._load(text)
        # libyaml bounds no nesting before 0.2.6, and the composer over it recurses in C.
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MOST_LEVELS:
                raise RecursionError
        return yaml.CSafeLoader(text)

    def roots(self) -> list[yaml.Node]:
        """Return the nodes of all documents that are not empty.

        Raises:
            SpecError: the text is not YAML, or has no document.
        """
        roots = self._composed(lambda: [node for node in self._documents() if node.tag != NULL])
        if not roots:
            raise SpecError(f"the batch file {self.name} is empty")
        return roots

    def name_image(self, name: str | None) -> None:
        """Let ``${name}`` stand for the name of the image that is read from now on."""
        self._values = {**self._variables, _NAME: name} if name is not None else self._variables

    def text(self, node: yaml.Node, what: str) -> str:
        """Return a scalar with its variables substituted.

        Raises:
            SpecError: the node is not a scalar, or a variable is not set.
        """
        written = super().text(node, what)
        self._values_read += 1
        self._characters_read += len(written)
        if self._values_read > _MOST_VALUES or self._characters_read > _MOST_CHARACTERS:
            raise self.error(
                node,
                f"the images have more than {_MOST_VALUES} values, or {_MOST_CHARACTERS} "
                "characters, together",
                "divide the file into several",
            )
        try:
            return substituted(written, self._values)
        except SpecError as error:
            hint = error.hint
            if _NAME not in self._values and error.message.startswith("the variable name "):
                hint = "give the image a 'name', which ${name} stands for"
            raise self.error(node, error.message, hint) from None

    def _invalid_hint(self, problem: str, line: str) -> str:
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return TAB_HINT
        if "${" in line and set(line) & set("[{,"):
            return "quote values that hold ${...} between { and } or [ and ]"
        return super()._invalid_hint(problem, line)

    def _is_filled_here(self, placeholder: str) -> bool:
        return placeholder.startswith("$") and not placeholder.startswith("$(")

    def _known_hint(self, key: str, known: Collection[str]) -> str:
        from difflib import get_close_matches  # only to say what went wrong

        known = [word for word in known if not word.startswith(_EXTENSION)]
        close = get_close_matches(key.replace("-", "_"), known, n=1)
        return f"did you mean {close[0]!r}?" if close else super()._known_hint(key, known)


def _batch(reader: _BatchReader, root: yaml.Node) -> tuple[BatchImage, ...]:
    fields = reader.mapping(root, None, "the batch file")
    if "image" in fields:  # a spec of manifest-tool
        return (_image(reader, root, {}),)
    extensions = [key for key in fields if key.startswith(_EXTENSION)]
    reader.mapping(root, dict.fromkeys((*_TOP_KEYS, *extensions)), "a batch file")
    if "images" not in fields:
        raise SpecError(
            f"the batch file {reader.name} has no 'images'",
            hint="list the images under 'images', each with a template or sources, and a target",
        )
    defaults: _Fields = {}
    if "defaults" in fields:
        known = [key for key in dict.fromkeys((*_MERGE_ENTRY_KEYS, *PUSH_KEYS)) if key != _NAME]
        defaults = reader.mapping(fields["defaults"], known, "'defaults'")
    nodes = reader.sequence(fields["images"], "images")
    if not nodes:
        raise SpecError(
            f"the batch file {reader.name} lists no image under 'images'",
            hint="name at least one image",
        )
    return tuple(_image(reader, node, defaults) for node in nodes)


def _image(reader: _BatchReader, node: yaml.Node, defaults: _Fields) -> BatchImage:
    """Return one image, with the defaults that it does not replace."""
    fields = reader.mapping(node, None, "an image")
    is_spec = "image" in fields
    known = _SPEC_ENTRY_KEYS if is_spec else _MERGE_ENTRY_KEYS
    if is_spec and not fields.keys() <= set(known):
        _refuse_both_forms(reader, node, fields)
    fields = reader.mapping(node, known, "a spec of manifest-tool" if is_spec else "an image")
    reader.name_image(None)
    name = reader.text(fields[_NAME], _NAME) if _NAME in fields else ""
    reader.name_image(name or None)
    image = _spec_entry if is_spec else _merge_entry
    return replace(image(reader, node, fields, defaults), name=name, place=reader.place(node))


def _refuse_both_forms(reader: _BatchReader, node: yaml.Node, fields: _Fields) -> None:
    if wrong := [key for key in fields if key in MERGE_KEYS and key not in _SPEC_ENTRY_KEYS]:
        raise reader.error(
            fields[wrong[0]],
            f"an image with 'image' is a spec of manifest-tool, which has no {wrong[0]!r}",
            hint="write 'target' in place of 'image' for a merge, which takes 'manifests', too",
        )


def _spec_entry(
    reader: _BatchReader, node: yaml.Node, fields: _Fields, defaults: _Fields
) -> BatchImage:
    if "manifests" not in fields:
        raise reader.error(node, "a spec of manifest-tool has no 'manifests'")
    taken = [key for key in defaults if key in _SPEC_ENTRY_KEYS and key != "manifests"]
    both = _with_defaults(fields, {key: defaults[key] for key in taken})
    spec = spec_of(reader, {key: fields[key] for key in ("image", "manifests")})
    if "tags" in both:
        tags = _value(reader, MERGE_KEYS["tags"], "tags", both["tags"])
        spec = replace(spec, tags=tuple(tags))
    if "annotations" in both:
        key = MERGE_KEYS["annotations"]
        spec = replace(spec, annotations=_value(reader, key, "annotations", both["annotations"]))
    if left := [key for key in defaults if key not in taken and key not in _UNSAID]:
        said = f"{reader.place(node)}: a spec of manifest-tool takes no {listed(left)}"
        spec = replace(spec, warnings=(*spec.warnings, f"{said}; the defaults' are left out"))
    keywords = {
        key.keyword: _value(reader, key, name, both[name])
        for name, key in PUSH_KEYS.items()
        if name in both
    }
    return BatchImage(keywords=keywords, spec=spec)


def _merge_entry(
    reader: _BatchReader, node: yaml.Node, fields: _Fields, defaults: _Fields
) -> BatchImage:
    both = _with_defaults(
        fields, {key: value for key, value in defaults.items() if key in MERGE_KEYS}
    )
    if "sources" in both and "manifests" in both:
        raise reader.error(
            both["manifests"][-1], "'sources' and 'manifests' are the same", "leave out one of them"
        )
    if not both.keys() & {"target", "targets"}:
        raise reader.error(node, "the image has no 'target'", "write target: reg.example/app:1.0")
    if not both.keys() & set(_COMPONENT_KEYS):
        raise reader.error(
            node,
            "the image has neither a 'template' nor 'sources'",
            "write template: reg.example/app-ARCH:1.0, or list the images under 'sources'",
        )
    keywords = {
        key.keyword: _value(reader, key, name, both[name])
        for name, key in MERGE_KEYS.items()
        if name in both
    }
    return BatchImage(keywords=keywords)


def _with_defaults(fields: _Fields, defaults: _Fields) -> dict[str, _Nodes]:
    """Return what an image has, and what it leaves to the defaults."""
    left = set(defaults)
    for own, replaced in INSTEAD:
        if any(key in fields for key in own):
            left -= set(replaced)
    given: dict[str, _Nodes] = {key: (defaults[key],) for key in left}
    for key, node in fields.items():
        is_pairs = key in MERGE_KEYS and MERGE_KEYS[key].kind == "pairs"
        given[key] = (*given.get(key, ()), node) if is_pairs else (node,)
    return given


def _value(reader: _BatchReader, key: Key, name: str, nodes: _Nodes) -> Any:
    """Return the value of a key as the library takes it.

    Raises:
        SpecError: it is not what the key takes.
    """
    node = nodes[-1]
    match key.kind:
        case "text":
            return reader.filled(node, name)
        case "texts":
            return _texts(reader, node, name)
        case "pairs":
            return {word: text for each in nodes for word, text in text_pairs(reader, each).items()}
        case "images":
            return [_source(reader, item) for item in reader.sequence(node, name)]
        case "seconds":
            return _checked(reader, node, lambda: parse_duration(reader.text(node, name), name))
        case "flag":
            return _flag(reader, node, name)
        case "choice":
            return _choice(reader, node, name, key.choices)


def _texts(reader: _BatchReader, node: yaml.Node, name: str) -> list[str]:
    """Return a list of texts; one text has them with commas or by lines, as variables have them."""
    if not isinstance(node, yaml.ScalarNode):
        return [reader.filled(item, name) for item in reader.sequence(node, name)]
    text = reader.filled(node, name)
    if not text.strip():
        # From a variable that happens to be empty would come another image than the one meant.
        if has_default(node.value):
            return []
        raise reader.error(
            node, f"{name!r} is empty", "leave it out, or write [] or ${NAME:-} for an empty list"
        )
    return [word.strip() for line in text.splitlines() if line.strip() for word in line.split(",")]


def _source(reader: _BatchReader, node: yaml.Node) -> str | tuple[str, Platform]:
    """Return an image to join: ``REFERENCE[=PLATFORM]``, or a mapping as in manifest-tool's specs.

    The platform of a mapping may be a text, too.
    """
    if not isinstance(node, yaml.MappingNode):
        return reader.filled(node, "sources")
    fields = reader.mapping(node, ("image", "platform"), "an image to join")
    if "image" in fields and isinstance(fields.get("platform"), yaml.ScalarNode):
        image = reader.filled(fields["image"], "image")
        platform = reader.filled(fields["platform"], "platform")
        return _checked(reader, fields["platform"], lambda: (image, parse_platform(platform)))
    warnings: list[str] = []
    read = spec_image(reader, node, warnings)
    return read.image if read.platform is None else (read.image, read.platform)


def _flag(reader: _BatchReader, node: yaml.Node, name: str) -> bool:
    text = reader.text(node, name)
    if text not in (*_TRUE, *_FALSE):
        raise reader.error(node, f"{name!r} has to be true or false, got {printable(text)!r}")
    return text in _TRUE


def _choice(reader: _BatchReader, node: yaml.Node, name: str, choices: Sequence[str]) -> str:
    text = reader.text(node, name)
    if text not in choices:
        raise reader.error(
            node, f"{printable(text)!r} is not a {name}", f"choose one of {', '.join(choices)}"
        )
    return text


def _checked(reader: _BatchReader, node: yaml.Node, parse: Callable[[], _T]) -> _T:
    """Return what ``parse`` returns; its errors get the line of a node."""
    try:
        return parse()
    except UsageError as error:
        if isinstance(error, SpecError):
            raise
        raise reader.error(node, error.message, error.hint) from None
