"""The JSON schema of batch files: the shipped one is current, and it judges as the reader does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from oci_merge._text import printable_json
from oci_merge.errors import SpecError
from oci_merge.options import MergeKeywords, PushKeywords
from oci_merge.planning.batch_file import parse_batch
from oci_merge.planning.batch_keys import MERGE_KEYS, PUSH_KEYS
from oci_merge.planning.batch_schema import batch_schema

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "cli/oci_merge_cli/schemas/batch.schema.json"
SCHEMA = batch_schema()
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def is_valid(value: Any, schema: Mapping[str, Any] = SCHEMA) -> bool:
    """Judge a value by as much of JSON Schema as the schema of batch files uses."""
    return all(_KEYWORDS[word](value, rule, schema) for word, rule in schema.items())


def of_type(value: Any, kinds: Any, schema: Mapping[str, Any]) -> bool:
    named = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in named
    return any(isinstance(value, _TYPES[kind]) for kind in named)


def has_properties(value: Any, rules: Any, schema: Mapping[str, Any]) -> bool:
    known = [key for key in value if key in rules]
    others = [key for key in value if key not in rules]
    for pattern in schema.get("patternProperties", {}):
        others = [key for key in others if not re.search(pattern, key)]
    rest = schema.get("additionalProperties", {})
    return all(is_valid(value[key], rules[key]) for key in known) and not (others and rest is False)


def refers(value: Any, reference: str, schema: Mapping[str, Any]) -> bool:
    found: Any = SCHEMA
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return is_valid(value, found)


def counted(value: Any, rules: Any) -> int:
    return sum(is_valid(value, rule) for rule in rules)


def always(value: Any, rule: Any, schema: Mapping[str, Any]) -> bool:
    return True


_KEYWORDS: Mapping[str, Any] = {
    **dict.fromkeys(
        ("$schema", "title", "description", "definitions", "patternProperties"), always
    ),
    "$ref": refers,
    "type": of_type,
    "enum": lambda value, rule, schema: value in rule,
    "pattern": lambda value, rule, schema: not isinstance(value, str) or re.search(rule, value),
    "oneOf": lambda value, rule, schema: counted(value, rule) == 1,
    "anyOf": lambda value, rule, schema: counted(value, rule) > 0,
    "not": lambda value, rule, schema: not is_valid(value, rule),
    "required": lambda value, rule, schema: all(key in value for key in rule),
    "minItems": lambda value, rule, schema: len(value) >= rule,
    "items": lambda value, rule, schema: (
        not isinstance(value, list) or all(is_valid(item, rule) for item in value)
    ),
    "properties": lambda value, rule, schema: (
        not isinstance(value, dict) or has_properties(value, rule, schema)
    ),
    "additionalProperties": lambda value, rule, schema: (
        rule is False or all(is_valid(item, rule) for item in value.values())
    ),
}


def reads(text: str) -> bool:
    try:
        parse_batch(text, name="images.yml", variables={"REGISTRY": "reg.example"})
    except SpecError:
        return False
    return True


GOOD = [
    "images: [{template: a-ARCH, target: 'a:1'}]",
    "images: [{template: a-ARCH, targets: ['a:1', 'b:1'], tags: [1, 1.10, latest]}]",
    "images: [{sources: ['a:1=linux/amd64', {image: 'a:2', platform: linux/arm}], target: 'a:3'}]",
    "images: [{manifests: [{image: 'a:2', platform: {os: linux, architecture: 386}}], target: a}]",
    "images: [{template: a-ARCH, target: 'a:1', platforms: 'linux/amd64,linux/arm64'}]",
    "images: [{template: a-ARCH, target: 'a:1', copy_layers: true, format: oci, wait: 10m}]",
    "images: [{template: a-ARCH, target: 'a:1', copy_layers: '${C:-true}', wait: 600}]",
    "images: [{template: a-ARCH, target: 'a:1', annotations: {a: 1, b: true, c: text}}]",
    "defaults: {template: '${REGISTRY}/${name}-ARCH', target: 'x/${name}:1'}\nimages: [{name: a}]",
    "x-any: [1]\n$schema: here\nimages: [{template: a-ARCH, target: 'a:1'}]",
    "image: a:1\nmanifests: [{image: 'a:2'}]",
    "images: [{image: 'a:1', manifests: [{image: 'a:2'}], type: oci, ignore_missing: true}]",
]
BAD = [
    "images: []",
    "defaults: {}",
    "images: [{tamplate: a-ARCH, target: 'a:1'}]",
    "images: [{template: a-ARCH, target: 'a:1', copy-layers: true}]",
    "images: [{template: a-ARCH, target: ['a:1']}]",
    "images: [{template: a-ARCH, target: 'a:1', format: oic}]",
    "images: [{template: a-ARCH, target: 'a:1', force: maybe}]",
    "images: [{template: a-ARCH, target: 'a:1', annotations: [a]}]",
    "images: [{sources: ['a:1'], manifests: [{image: 'a:1'}], target: 'a:1'}]",
    "images: [{image: 'a:1', manifests: [{image: 'a:2'}], target: 'a:1'}]",
    "images: [{image: 'a:1'}]",
    "imagse: [{template: a-ARCH, target: 'a:1'}]",
    "image: a:1\nmanifests: []",
]


def test_the_shipped_schema_is_current() -> None:
    # If it is not: oci-merge batch --schema > cli/oci_merge_cli/schemas/batch.schema.json
    assert SHIPPED.read_text() == printable_json(batch_schema()) + "\n"


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_takes_is_valid(text: str) -> None:
    assert reads(text)
    assert is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("text", BAD)
def test_what_the_reader_refuses_is_not_valid(text: str) -> None:
    assert not reads(text)
    assert not is_valid(yaml.safe_load(text))


def test_every_keyword_of_an_image_is_a_key() -> None:
    whole = {"on_event", "dry_run"}
    merge = {key.keyword for key in MERGE_KEYS.values()} - {"target"}
    assert merge == set(MergeKeywords.__annotations__) - whole
    push = {key.keyword for key in PUSH_KEYS.values()}
    assert push == set(PushKeywords.__annotations__) - whole


@pytest.mark.parametrize("page", ["docs/batch.md", "README.md"])
def test_the_batch_files_of_the_pages_are_valid(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    files = [block for block in blocks if re.search(r"^images:", block, re.MULTILINE)]
    assert files or page == "README.md"
    for text in files:
        assert is_valid(yaml.safe_load(text)), text
        variables = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "x")
        assert parse_batch(text, name=page, variables=variables)


def test_the_schema_has_only_what_json_can_say() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
