"""Writes the reference of the library, in Markdown, from its public names and their docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Any, ForwardRef, Literal, NamedTuple, Union, get_args, get_origin, is_typeddict

import oci_merge
from oci_merge import options
from oci_merge._keywords import Keyword, keywords_of
from oci_merge.options import edit, merge, registry, trust
from oci_merge_cli.reference.markdown import wrapped

_SECTIONS = ("Args", "Attributes", "Returns", "Raises")
_VERBS = (
    *("merge", "push", "append", "remove", "annotate", "apply", "batch"),
    *("inspect", "verify", "sign"),
)
_CLIENTS = ("Client", "AsyncClient")
_FIRST = (
    *("MergeResult", "TargetResult", "TagResult", "PlatformResult", "Plan"),
    *("BatchResult", "ImageResult", "BatchImage"),
    *("Inspection", "InspectedImage", "InspectedLayer", "Verification", "VerifiedSignature"),
    *("SignResult", "SignatureResult", "CredentialExplanation", "CredentialSource"),
    *("Reference", "Platform", "Spec", "SpecImage", "RegistryOptions"),
)

_INTRODUCTION = """\
All names are those of the package: `import oci_merge`. The page is made by `make reference` from
the signatures and docstrings, so `help(oci_merge.merge)` says the same. The [guide](library.md)
shows how the parts work together."""

_VERBS_TEXT = """\
Each verb blocks, and refuses to run in an event loop; await the one with `_async` behind its name
there. It takes the same and returns the same. What stands behind `*` is given by name. Keywords
that several verbs take are described where they are first taken."""

_CLIENTS_TEXT = """\
A client keeps connections and logins from one operation to the next. Its methods are the verbs.
They take what the verbs take, but for what [the client](#client) itself was made with."""

_RESULTS_TEXT = """\
Results and the values that they are made of are frozen: nobody can change them."""

_EVENTS_TEXT = """\
`on_event` is called with these frozen values as things happen."""

_ERRORS_TEXT = """\
`except` with a class catches those below it, too. The code of a class stays the same in later
versions: see [Error codes](next-job.md#error-codes)."""

_TYPES_TEXT = """\
A function of yours hands keywords on with their types as `**keywords:
Unpack[oci_merge.MergeCall]` (PEP 692)."""


class _Text(NamedTuple):
    """A docstring in its parts.

    Args:
        paragraphs: its free text; examples keep their lines.
        sections: the entries of `Args` and the like, by the name of the section; an entry that has
            no name has an empty one.
    """

    paragraphs: list[str]
    sections: dict[str, dict[str, str]]


def library_page() -> str:
    """Return the reference of all public names."""
    kinds = _kinds()
    lines = ["# Library reference", "", *_flowed(_INTRODUCTION), ""]
    lines += ["## Verbs", "", *_flowed(_VERBS_TEXT), ""]
    told: dict[str, Keyword] = {}
    for verb in _VERBS:
        lines += _verb(verb, told)
    lines += ["## Clients", "", *_flowed(_CLIENTS_TEXT), ""]
    for name in _CLIENTS:
        lines += _client(name, told)
    lines += ["## Functions", ""]
    for name in kinds["function"]:
        lines += _function(name)
    for title, text, kind in (
        ("Results and values", _RESULTS_TEXT, "value"),
        ("Events", _EVENTS_TEXT, "event"),
    ):
        lines += [f"## {title}", "", *_flowed(text), ""]
        for name in kinds[kind]:
            lines += _value(name)
    lines += ["## Errors", "", *_flowed(_ERRORS_TEXT), ""]
    lines += [*_tree(oci_merge.OciMergeError), ""]
    for name in kinds["error"]:
        lines += _error(name)
    lines += ["## Types of keywords", "", *_flowed(_TYPES_TEXT), "", *_types(kinds["keywords"]), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _kinds() -> dict[str, list[str]]:
    """Return the public names by what they are, but for verbs and clients."""
    kinds: dict[str, list[str]] = {
        kind: [] for kind in ("function", "value", "event", "error", "keywords")
    }
    for name in dir(oci_merge):
        thing = getattr(oci_merge, name)
        if name.removesuffix("_async") in _VERBS or name in _CLIENTS or name.startswith("__"):
            continue
        kinds[_kind(thing)].append(name)
    # A result stands before what it is made of; the others are in the order of the source.
    for kind in ("value", "event", "error"):
        kinds[kind].sort(key=_place)
    return kinds


def _kind(thing: Any) -> str:
    if isinstance(thing, FunctionType):
        return "function"
    if is_typeddict(thing):
        return "keywords"
    if issubclass(thing, oci_merge.OciMergeError):
        return "error"
    return "event" if issubclass(thing, oci_merge.Event) else "value"


def _place(name: str) -> tuple[int, str, int]:
    thing = getattr(oci_merge, name)
    rank = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return rank, thing.__module__, inspect.getsourcelines(thing)[1]


def _verb(name: str, told: dict[str, Keyword]) -> Iterator[str]:
    function = getattr(oci_merge, name)
    text = _parsed(getattr(oci_merge, f"{name}_async"))
    kind = _keywords_taken(name)
    keywords = keywords_of(kind)
    yield from _heading(name, function, keywords)
    yield from _paragraphs(text.paragraphs)
    own = _positional(function, keywords)
    yield from _items(own, text.sections.get("Args", {}))
    yield from _keyword_groups(keywords, kind, told)
    yield from _returns_and_raises(function, text)


def _client(name: str, told: dict[str, Keyword]) -> Iterator[str]:
    client = getattr(oci_merge, name)
    text = _parsed(client)
    keywords = keywords_of(oci_merge.ClientCall)
    yield from (f"### {name}", "", "```", f"{name}(**keywords)", "```", "")
    yield from _paragraphs(text.paragraphs)
    yield from _keyword_groups(keywords, oci_merge.ClientCall, told)
    methods = [
        f"`{each}`"
        for each, found in inspect.getmembers(client, callable)
        if not each.startswith("_") and each in _VERBS
    ]
    closing = "aclose" if name == "AsyncClient" else "close"
    yield from _flowed(
        f"Methods: {', '.join(methods)}; and `{closing}()`, which the end of its block calls."
    )
    yield ""
    yield from _returns_and_raises(None, text)


def _function(name: str) -> Iterator[str]:
    function = getattr(oci_merge, name)
    text = _parsed(function)
    yield from _heading(name, function, {})
    yield from _paragraphs(text.paragraphs)
    yield from _items(_positional(function, {}), text.sections.get("Args", {}))
    yield from _returns_and_raises(function, text)


def _value(name: str) -> Iterator[str]:
    kind = getattr(oci_merge, name)
    text = _parsed(kind)
    meanings = text.sections.get("Attributes", {}) | text.sections.get("Args", {})
    yield from (f"### {name}", "", *_paragraphs(text.paragraphs))
    home = inspect.getmodule(kind)
    told = {
        field.name: _type_shown(field.type, home) + _default_shown(field.default)
        for field in dataclasses.fields(kind)
    }
    for each, found in inspect.getmembers(kind):
        if each.startswith("_") or each in told:
            continue
        if isinstance(found, property):
            told[each] = _type_shown(_result_of(found.fget), home)
            meanings |= {each: _lowered(_summary(found))}
    methods = {
        f"{each}({_names_shown(found, {})})": _lowered(_summary(found))
        for each, found in inspect.getmembers(kind, inspect.isfunction)
        if not each.startswith("_")
    }
    yield from _items(told | dict.fromkeys(methods, ""), meanings | methods)
    yield from _returns_and_raises(None, text)


def _tree(root: type[oci_merge.OciMergeError], depth: int = 0) -> Iterator[str]:
    yield f"{'    ' * depth}* [{root.__name__}](#{root.__name__.lower()}), `{root.code}`"
    for below in _below(root):
        yield from _tree(below, depth + 1)


def _below(kind: type[oci_merge.OciMergeError]) -> list[type[oci_merge.OciMergeError]]:
    public = [each for each in kind.__subclasses__() if hasattr(oci_merge, each.__name__)]
    return sorted(public, key=lambda each: inspect.getsourcelines(each)[1])


def _error(name: str) -> Iterator[str]:
    kind = getattr(oci_merge, name)
    text = _parsed(kind)
    own = text.sections.get("Args", {}) | text.sections.get("Attributes", {})
    yield from (f"### {name}", "", *_paragraphs(text.paragraphs))
    if kind is oci_merge.OciMergeError:
        returned = _parsed(kind.to_dict).sections["Returns"][""]
        own["to_dict()"] = f"return the error as JSON values: {returned}"
    yield from _items(dict.fromkeys(own, ""), own)


def _types(names: Sequence[str]) -> Iterator[str]:
    yield from ("| type | its keywords |", "| --- | --- |")
    for name in names:
        meaning = _marked(_lowered(_summary(getattr(oci_merge, name))).rstrip("."))
        yield f"| `{name}` | {meaning} |"


# Keywords


def _keywords_taken(verb: str) -> type:
    """Return the TypedDict that a verb takes."""
    call = {"append": "MergeCall"}.get(verb, f"{verb.capitalize()}Call")
    taken: type = getattr(options, call)
    return taken


def _declared() -> dict[str, type]:
    """Return the class that declares each keyword first, by keyword; the smallest that has it."""
    modules: tuple[ModuleType, ...] = (options, merge, registry, trust, edit)
    classes = {each for module in modules for each in vars(module).values() if is_typeddict(each)}
    declared: dict[str, type] = {}
    for each in sorted(classes, key=lambda kind: (len(kind.__annotations__), kind.__name__)):
        for name in keywords_of(each):
            declared.setdefault(name, each)
    return declared


def _keyword_groups(
    keywords: Mapping[str, Keyword], kind: type, told: dict[str, Keyword]
) -> Iterator[str]:
    """List keywords by what they are about, and name those that were described before."""
    declared = _declared()
    groups: dict[type, list[str]] = {}
    for name in keywords:
        if told.get(name) is not keywords[name]:
            groups.setdefault(declared[name], []).append(name)
    before = [name for name in keywords if told.get(name) is keywords[name]]
    told.update(keywords)
    for home, names in groups.items():
        yield from (f"**{_title(home)}**", "")
        types = {
            name: _type_shown(kind.__annotations__[name].__origin__)
            + _default_shown(keywords[name].default)
            for name in names
        }
        yield from _items(types, {name: keywords[name].meaning for name in names})
    if before:
        yield from _flowed(f"As described above: {', '.join(f'`{name}`' for name in before)}.")
        yield ""


def _title(home: type) -> str:
    """Say what a group is about; what a verb's own class declares has no title there."""
    summary = _summary(home).rstrip(".")
    return "Keywords of its own" if summary.startswith("What ``") else summary.replace("``", "`")


# Signatures


def _heading(
    name: str, function: Callable[..., Any], keywords: Mapping[str, Keyword]
) -> Iterator[str]:
    parameters = _names_shown(function, keywords)
    result = _type_shown(_result_of(function))
    yield from (f"### {name}", "", "```", f"{name}({parameters}) -> {result}", "```", "")


def _names_shown(function: Callable[..., Any], keywords: Mapping[str, Keyword]) -> str:
    """Return the names of parameters as a signature has them; keywords as three dots."""
    words: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in keywords or parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        has_default = parameter.default is not parameter.empty
        words.append(parameter.name + (f"={parameter.default!r}" if has_default else ""))
    if keywords:
        words += ["..."] if "*" in words else ["*", "..."]
    return ", ".join(words)


def _positional(function: Callable[..., Any], keywords: Mapping[str, Keyword]) -> dict[str, str]:
    return {
        parameter.name: _type_shown(parameter.annotation)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in keywords
    }


def _result_of(function: Any) -> Any:
    return inspect.signature(function).return_annotation


def _type_shown(annotation: Any, home: ModuleType | None = None) -> str:
    """Return a type as its source has it, without the modules of names.

    Args:
        annotation: the type, or its text.
        home: where its text was written, so that names of a choice of words are replaced by these.
    """
    if isinstance(annotation, str):
        return re.sub(r"\w+", lambda name: _words_of(home, name[0]), annotation)
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if annotation in (None, NoneType):
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, list):
        return f"[{_types_shown(annotation)}]"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"Literal[{', '.join(repr(word) for word in inner)}]"
    if origin in (Union, UnionType):
        return " | ".join(_type_shown(each) for each in inner)
    if origin is None:
        return str(annotation.__name__)
    return f"{origin.__name__}[{_types_shown(inner)}]"


def _types_shown(annotations: Sequence[Any]) -> str:
    return ", ".join(_type_shown(each) for each in annotations)


def _words_of(home: ModuleType | None, name: str) -> str:
    found = vars(home).get(name) if home else None
    return _type_shown(found) if get_origin(found) is Literal else name


def _default_shown(value: object) -> str:
    """Return how a default is shown; what is empty or off is what a reader expects."""
    return f" = {value!r}" if isinstance(value, str | int | float) and value else ""


# Text


def _parsed(thing: Any) -> _Text:
    """Split a docstring into its paragraphs and its sections."""
    paragraphs: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    for block in re.split(r"\n\n(?! )", inspect.getdoc(thing) or ""):
        first, _, rest = block.partition("\n")
        if first.rstrip(":") in _SECTIONS and first.endswith(":"):
            sections[first.rstrip(":")] = _entries(textwrap.dedent(rest), first)
        else:
            paragraphs.append(block)
    return _Text(paragraphs, sections)


def _entries(text: str, section: str) -> dict[str, str]:
    if section == "Returns:":
        return {"": text}
    entries: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", text):
        name, _, meaning = entry.partition(":")
        entries[name] = meaning
    return entries


def _summary(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _lowered(sentence: str) -> str:
    """Let a sentence go on behind a colon; what is written in capitals or as code stays."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def _paragraphs(paragraphs: Sequence[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        for is_code, block in _blocks(paragraph):
            if is_code:
                yield from ("```", *textwrap.dedent(block).splitlines(), "```", "")
            else:
                yield from (*_flowed(block), "")


def _blocks(paragraph: str) -> Iterator[tuple[bool, str]]:
    """Split a paragraph where an indented example begins."""
    for block in re.split(r"\n\n", paragraph):
        yield block.startswith("    "), block


def _items(types: Mapping[str, str], meanings: Mapping[str, str]) -> Iterator[str]:
    for name, shown in types.items():
        typed = f" (`{shown}`)" if shown else ""
        yield from _item(f"`{name}`{typed}: {meanings[name]}")
    if types:
        yield ""


def _returns_and_raises(function: Any, text: _Text) -> Iterator[str]:
    if returned := text.sections.get("Returns"):
        shown = _type_shown(_result_of(function))
        linked = f"[{shown}](#{shown.lower()}): " if hasattr(oci_merge, shown) else ""
        yield from (*_flowed(f"Returns {linked}{_lowered(returned[''])}"), "")
    if raised := text.sections.get("Raises"):
        yield from ("Raises:", "")
        for name, meaning in raised.items():
            is_public = hasattr(oci_merge, name)
            yield from _item((f"[{name}](#{name.lower()})" if is_public else name) + f": {meaning}")
        yield ""


def _item(text: str) -> list[str]:
    return wrapped(f"* {_marked(text)}", indent="  ")


def _flowed(text: str) -> list[str]:
    return wrapped(_marked(text))


def _marked(text: str) -> str:
    """Write code as Markdown has it, and escape what Markdown would obey elsewhere."""
    parts = re.split(r"(``.+?``|`[^`]+`)", " ".join(text.split()))
    return "".join(
        f"`{part.strip('`')}`" if part.startswith("`") else re.sub(r"([*<])", r"\\\1", part)
        for part in parts
    )
