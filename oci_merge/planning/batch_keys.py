"""The keys of a batch file, made of the keywords of a merge and of a push. Pure.

A keyword that is added to ``options`` is a key from then on, and in the JSON schema, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from oci_merge._frozen import frozen
from oci_merge._keywords import Keyword, keywords_of
from oci_merge.options import MergeKeywords, PushKeywords
from oci_merge.planning.batch import OF_A_BATCH

Kind = Literal["text", "texts", "pairs", "images", "flag", "choice", "seconds"]

#: What the target is called in a merge, and what it says in the file.
_TARGET_MEANING = "The tag to publish, for example reg.example/app:1.0."
#: manifest-tool calls the kind of index so, on its command line.
_OTHER_NAMES = {"list_type": "type"}


@frozen
class Key:
    """A key that an image may have.

    Attributes:
        keyword: the library's keyword.
        kind: what its value is.
        meaning: what it means, in a sentence.
        choices: the words to choose from; empty for other kinds.
        default: the value where the key is missing.
    """

    keyword: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()
    default: Any = None


def _kind(name: str, hint: Any) -> Kind:
    """Return what a keyword's value is, by its type."""
    if name == "sources":
        return "images"
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds: Mapping[Any, Kind] = {
        bool: "flag",
        float: "seconds",
        Literal: "choice",
        Mapping: "pairs",
        Iterable: "texts",
        str: "text",
    }
    for kind, word in kinds.items():
        if any(kind in (option, get_origin(option)) for option in options):
            return word
    raise TypeError(f"no key can be made of {name}: {hint}")  # pragma: no cover


def _keys(kind: type) -> dict[str, Key]:
    return {
        _OTHER_NAMES.get(name, name): _key(name, keyword, kind.__annotations__[name].__origin__)
        for name, keyword in keywords_of(kind).items()
        if name not in OF_A_BATCH
    }


def _key(name: str, keyword: Keyword, hint: Any) -> Key:
    kind = _kind(name, hint)
    meaning = " ".join(keyword.meaning.replace("``", "`").split())
    return Key(
        keyword=name,
        kind=kind,
        meaning=meaning[:1].upper() + meaning[1:],
        choices=get_args(hint) if kind == "choice" else (),
        default=keyword.default,
    )


_TARGET = {"target": Key("target", "text", _TARGET_MEANING)}
_MANIFESTS = {
    "manifests": Key(
        "sources", "images", "The same as `sources`, as manifest-tool's specs write them."
    )
}

#: The keys of an image that is merged.
MERGE_KEYS: Mapping[str, Key] = {**_TARGET, **_MANIFESTS, **_keys(MergeKeywords)}
#: The keys of a spec of manifest-tool beside its own.
PUSH_KEYS: Mapping[str, Key] = _keys(PushKeywords)
#: Of each set, an image's keys replace all of the defaults' keys.
INSTEAD = (
    (
        ("template", "sources", "manifests", "source_files"),
        ("template", "arch_aliases", "sources", "manifests", "source_files"),
    ),
    (("target", "targets"), ("target", "targets")),
)
