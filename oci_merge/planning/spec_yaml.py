"""Reads YAML as spec files use it: nodes with their lines, scalars as they are written. Pure.

What YAML can do to its reader is bounded: the length of the text, the depth of its nesting, and
what merge keys (``<<``) multiply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar, cast

import yaml

from oci_merge._text import listed, printable
from oci_merge.errors import SpecError

#: The longest spec, in characters: thousands of images. Reading more takes PyYAML many seconds.
MAX_SPEC = 1 << 19
#: How many pairs merge keys may give, over all mappings of a spec.
_MOST_MERGED = 20_000

# Tags that YAML gives to plain scalars. All of them are read as text, so 1.10 stays 1.10.
_SCALARS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp")
)
NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_SURROGATE = re.compile("[\ud800-\udfff]")
TAB_HINT = "indent by spaces; YAML takes a tab only between a key and its value"

# Each repetition ends where the next placeholder may begin. Otherwise a text of many openings and
# no end would be read once from each, in the square of its length.
_SQUARE = r"\[\[(?:(?!\[\[|\]\]).)*\]\]"
#: Placeholders of template languages that are no YAML, or change what YAML reads.
_TEMPLATE_TAG = (
    r"\{\{(?:(?!\{\{|\}\}).)*\}\}|\{%(?:(?!\{%|%\}).)*%\}|<%(?:(?!<%|%>).)*%>"
    r"|@[A-Za-z][\w.]*@|%[A-Za-z][\w.]*%"
)
#: Placeholders that YAML takes as text, but no reference, tag or platform can hold.
_VARIABLE = (
    r"\$?\$\{(?:(?!\$\{)[^}])*\}|\$\((?:(?!\$\()[^)])*\)|\$[A-Za-z_]\w*"
    rf"|#\{{(?:(?!#\{{)[^}}])*\}}|<[A-Za-z][\w .-]*>|{_SQUARE}"
)
_BREAKS_YAML = re.compile(_TEMPLATE_TAG)
_PLACEHOLDER = re.compile(f"{_TEMPLATE_TAG}|{_VARIABLE}")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_PLACEHOLDER_HINT = "fill the template first, and give the file that comes of it"

_T = TypeVar("_T")
_Pair = tuple[yaml.Node, yaml.Node]


class _Loader(yaml.SafeLoader):
    """Takes tabs where libyaml and go-yaml take them, and PyYAML does not."""

    def scan_to_next_token(self) -> None:
        """Skip spaces, comments, line breaks, and tabs that indent nothing (YAML 1.2, 6.2)."""
        if self.index == 0 and self.peek() == "\ufeff":
            self.forward()
        while True:
            while self.peek() == " " or (self.peek() == "\t" and self._takes_tab()):
                self.forward()
            if self.peek() == "#":
                while self.peek() not in "\0\r\n\x85\u2028\u2029":
                    self.forward()
            if not self.scan_line_break():  # type: ignore[no-untyped-call]
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def _takes_tab(self) -> bool:
        return bool(self.flow_level) or not self.allow_simple_key


class SpecReader:
    """Reads mappings, lists and text from YAML nodes; its errors name the line.

    Args:
        text: the YAML document.
        name: the file's name, safe to print.

    Attributes:
        name: the file's name.

    Raises:
        SpecError: the text is longer than a spec may be, or has characters that YAML forbids.
    """

    #: What messages call the document.
    _noun = "spec"
    #: How many characters it may have, and what to do with more.
    _longest = MAX_SPEC
    _longest_hint = "name a spec file; several small ones can be pushed one after another"
    _most_merged = _MOST_MERGED

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._text = text
        self._flat: dict[yaml.Node, dict[str, _Pair]] = {}
        self._merged = 0
        # A value that thousands of aliases repeat is one node, and is looked through once.
        self._texts: set[yaml.Node] = set()
        self._filled: set[yaml.Node] = set()
        if len(text) > self._longest:
            raise SpecError(
                f"the {self._noun} {name} has more than {self._longest} characters",
                hint=self._longest_hint,
            )
        try:
            self._loader = self._load(text)
        except yaml.YAMLError as error:
            raise self._invalid(error) from None

    def _load(self, text: str) -> Any:
        return _Loader(text)

    def root(self) -> yaml.Node:
        """Return the node of the only document.

        Raises:
            SpecError: the text is not YAML, or has no document or several. Empty documents, as a
                ``---`` at the end makes, do not count.
        """
        return self._composed(self._only_document)

    def _composed(self, compose: Callable[[], _T]) -> _T:
        """Return what ``compose`` makes of the text; PyYAML's errors become ours."""
        try:
            return compose()
        except yaml.YAMLError as error:
            raise self._invalid(error) from None
        except (ValueError, OverflowError):  # such as "\UFFFFFFFF", which is no character
            line = self._loader.line + 1
            raise SpecError(
                f"the {self._noun} {self.name} is not YAML: "
                f"an escape in line {line} names no character"
            ) from None

    def error(self, node: yaml.Node, message: str, hint: str = "") -> SpecError:
        """Return an error whose message names the node's line."""
        return SpecError(f"{self.place(node)}: {message}", hint=hint)

    def place(self, node: yaml.Node) -> str:
        """Return the file's name and a node's line, for messages."""
        return f"{self.name}, line {node.start_mark.line + 1}"

    def mapping(
        self, node: yaml.Node, known: Collection[str] | None, what: str
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
            if node.tag == NULL:
                return {}
            self._refuse_placeholder(node)
            raise self.error(node, f"{what or 'this'} has to be a mapping of keys to values")
        fields: dict[str, yaml.Node] = {}
        for key, (key_node, value) in self._pairs(node).items():
            if known is not None and key not in known:
                self._refuse_placeholder(key_node)
                raise self.error(
                    key_node,
                    f"{printable(key)!r} is not a key of {what}",
                    hint=self._known_hint(key, known),
                )
            fields[key] = value
        return {key: value for key, value in fields.items() if value.tag != NULL}

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """Return a list's items; null is an empty list.

        Raises:
            SpecError: the node is not a list.
        """
        if isinstance(node, yaml.SequenceNode):
            return cast("list[yaml.Node]", node.value)
        if node.tag == NULL:
            return []
        self._refuse_placeholder(node)
        raise self.error(node, f"{what!r} has to be a list")

    def text(self, node: yaml.Node, what: str) -> str:
        """Return a scalar as it is written.

        Raises:
            SpecError: the node is not a scalar, or binary, or has half a character in it.
        """
        return self._scalar(node, what)

    def _scalar(self, node: yaml.Node, what: str) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            if node not in self._texts and _SURROGATE.search(node.value):
                raise self.error(node, f"{printable(what)!r} has half a surrogate pair in it")
            self._texts.add(node)
            return cast(str, node.value)
        self._refuse_placeholder(node)
        raise self.error(node, f"{printable(what)!r} has to be text")

    def filled(self, node: yaml.Node, what: str) -> str:
        """Return a scalar that names something in a registry, or a platform.

        Raises:
            SpecError: the node is not text, or has a placeholder in it that nobody filled.
        """
        text = self.text(node, what)
        if node not in self._filled:
            self._refuse_placeholder(node)
            self._filled.add(node)
        return text

    def _known_hint(self, key: str, known: Collection[str]) -> str:
        return f"known keys are {listed(list(known))}"

    def _only_document(self) -> yaml.Node:
        empty: yaml.Node | None = None
        root: yaml.Node | None = None
        for node in self._documents():
            if node.tag == NULL:
                empty = empty or node
            elif root is None:
                root = node
            else:
                raise self.error(
                    node,
                    f"a second document starts here, after the one of line "
                    f"{root.start_mark.line + 1}",
                    hint="a spec is one document: give each its own file, and push one after "
                    "another",
                )
        if (found := root or empty) is None:
            raise SpecError(f"the {self._noun} {self.name} is empty")
        return found

    def _documents(self) -> Iterator[yaml.Node]:
        while self._loader.check_node():
            yield cast(yaml.Node, self._loader.get_node())

    def _invalid(self, error: yaml.YAMLError) -> SpecError:
        """Return the error for text that is not YAML."""
        mark = getattr(error, "problem_mark", None)
        lines = self._text.split("\n")[: mark.line + 1] if mark else []
        for number, line in enumerate(lines, 1):
            if found := _BREAKS_YAML.search(_COMMENT.sub("", line)):
                return self._unfilled(f"{self.name}, line {number}", found[0])
        problem = printable(str(getattr(error, "problem", None) or error).partition("\n")[0])
        where = f" in line {mark.line + 1}" if mark else ""
        return SpecError(
            f"the {self._noun} {self.name} is not YAML: {problem}{where}",
            hint=self._invalid_hint(problem, lines[-1] if lines else ""),
        )

    def _invalid_hint(self, problem: str, line: str) -> str:
        """Return what to do about a line that is not YAML."""
        if r"'\t'" in problem:
            return TAB_HINT
        return "check the indentation, and quote values that hold ': ' or ' #'"

    def _refuse_placeholder(self, node: yaml.Node) -> None:
        """Refuse a node that a template engine should have replaced; ``{{x}}`` is a mapping."""
        if isinstance(node, yaml.ScalarNode):
            each = _PLACEHOLDER.finditer(node.value)
            found = next((one for one in each if not self._is_filled_here(one[0])), None)
        else:
            source = self._text[node.start_mark.index : node.end_mark.index]
            found = _BREAKS_YAML.match(source) or re.match(_SQUARE, source)
        if found:
            raise self._unfilled(self.place(node), found[0])

    def _is_filled_here(self, placeholder: str) -> bool:
        """Say whether the reader itself puts a value in the place of a placeholder."""
        return False

    def _unfilled(self, place: str, placeholder: str) -> SpecError:
        return SpecError(
            f"{place}: nobody filled the placeholder {printable(placeholder, limit=60)!r}",
            hint=_PLACEHOLDER_HINT,
        )

    def _pairs(self, node: yaml.MappingNode) -> dict[str, _Pair]:
        """Return a mapping's pairs by key, including those merged by ``<<``."""
        # Each mapping is flattened once and kept: nested merges of merges (a "billion laughs"
        # document) would otherwise take exponential time.
        if node not in self._flat:
            pairs = self._flat[node] = {}
            self._check_keys(node)
            for name, pair in self._merged_pairs(node):
                pairs.setdefault(name, pair)
            own = ((key, value) for key, value in node.value if key.tag != _MERGE)
            pairs.update((self._scalar(key, "a key"), (key, value)) for key, value in own)
        return self._flat[node]

    def _merged_pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, _Pair]]:
        """Yield the pairs that a mapping merges, in the order of precedence."""
        for value in (value for key, value in node.value if key.tag == _MERGE):
            for source in value.value if value.id == "sequence" else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise self.error(source, "what is merged has to be a mapping")
                for item in self._pairs(source).items():
                    # Long chains of merges give pairs by the square of their length.
                    self._merged += 1
                    if self._merged > self._most_merged:
                        raise self.error(node, f"merge keys give more than a {self._noun} may hold")
                    yield item

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
