"""The JSON that the command writes is as its schema says, and every error has its code there."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

import oci_merge_cli
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_attestation, build_image, build_index
from oci_merge import OciMergeError, errors
from oci_merge_cli.compat.groups import UnknownWordError
from oci_merge_cli.output.stdout import OutputError
from oci_merge_cli.runtime.failures import error_document
from oci_merge_cli.runtime.signals import Interrupted
from tests.cli.running import Program
from tests.json_schema import unknown_properties, violations

_SCHEMA: dict[str, Any] = json.loads(
    (Path(oci_merge_cli.__file__).parent / "schemas" / "output.json").read_text()
)
_DOCS = Path(__file__).parents[2] / "docs"
_KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, OciMergeError)
]
_LIBRARY_CODES = {kind.code for kind in _KINDS}
#: The codes of the errors that only the command has.
_COMMAND_CODES = {"interrupted", "internal", "output", "unknown_command"}


def _definition(name: str) -> dict[str, Any]:
    return {"$defs": _SCHEMA["$defs"], "$ref": f"#/$defs/{name}"}


def document_of(text: str, name: str) -> dict[str, Any]:
    """Check that a document is one of the documents of the schema, and has nothing else."""
    document: dict[str, Any] = json.loads(text)
    assert violations(document, _SCHEMA) == []
    assert violations(document, _definition(name)) == []
    assert unknown_properties(document, _definition(name)) == []
    return document


def test_a_result_is_as_the_schema_says(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    image = build_image("linux", "riscv64")
    registry.add_image("team/prov", "1.0", build_index([image, build_attestation(image)]))
    host = merge_arguments[-1].partition("/")[0]
    merged = program(
        *("--source", f"{host}/team/prov:1.0", "--target", f"{host}/team/prov:2.0"),
        *("--target", f"{host}/other/prov:2.0", "--tags", "latest", "--output", "json"),
    )
    document = document_of(merged.stdout, "result")
    assert document["platforms"][0]["attestations"]
    assert len(document["targets"]) == 2


def test_a_plan_is_as_the_schema_says(program: Program, merge_arguments: list[str]) -> None:
    document = document_of(
        program(*merge_arguments, "--dry-run", "--output", "json").stdout, "plan"
    )
    assert document["plan"]["mounts"]
    assert document["plan"]["children"]


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--shard", "1/1"]])
def test_a_batch_is_as_the_schema_says(
    program: Program, host: str, tmp_path: Path, more: list[str]
) -> None:
    file = tmp_path / "images.yml"
    file.write_text(
        f"""
images:
  - {{ target: "{host}/team/a:1", sources: ["{host}/team/img-amd64:1.0"] }}
  - {{ target: "{host}/team/b:1", sources: ["{host}/team/none:1.0"] }}
  - {{ image: "{host}/team/c:1", manifests: [{{ image: "{host}/team/img-amd64:1.0" }}] }}
"""
    )
    document = document_of(program("batch", str(file), *more, "--output", "json").stdout, "batch")
    assert document["images"][1]["error"]["code"] == "missing_component"


def test_a_merge_tells_whether_anything_changed(
    program: Program, merge_arguments: list[str]
) -> None:
    arguments = [*merge_arguments, "--output", "json"]
    planned = [json.loads(program(*arguments, "--dry-run").stdout)["changed"]]
    merged = [json.loads(program(*arguments).stdout)["changed"] for _ in range(2)]
    planned.append(json.loads(program(*arguments, "--dry-run").stdout)["changed"])
    added = json.loads(program(*arguments, "--tags", "latest").stdout)["changed"]
    assert (planned, merged, added) == ([True, False], [True, False], True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--source", "a", "--target", "a"], "invalid_reference"),
        (["--source", "HOST/team/none:1.0", "--target", "HOST/a:1"], "missing_component"),
        (["--no-such-option", "--source", "a:1"], "usage"),
        (["--format", "oci", "--format", "oci"], "usage"),
        (["no-such-command"], "unknown_command"),
        (["inspect", "HOST/team/none:1.0"], "not_found"),
    ],
)
def test_an_error_is_as_the_schema_says(
    arguments: list[str], code: str, program: Program, host: str
) -> None:
    words = [word.replace("HOST", host) for word in arguments]
    outcome = program(*words, "--output", "json")
    document = document_of(outcome.stdout, "failure")
    assert outcome.status in (1, 2, 3)
    assert document["error"]["code"] == code
    beside = {name: value for name, value in document["error"].items() if name != "code"}
    assert {**beside, "error": document["error"]} == document


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutputError("full"), "output"),
        (Interrupted(15), "interrupted"),
        (UnknownWordError("wrong"), "unknown_command"),
        (typer.TyperException("wrong"), "usage"),
        (TypeError("a bug"), "internal"),
    ],
)
def test_errors_of_the_command_alone_have_codes_too(error: BaseException, code: str) -> None:
    document = error_document(error)
    assert document["code"] == code
    assert violations(document, _definition("error")) == []
    assert unknown_properties(document, _definition("error")) == []


def test_the_schema_describes_every_detail_that_an_error_may_have() -> None:
    for name in ("error", "failure"):
        assert set(_SCHEMA["$defs"][name]["properties"]) >= set(errors.DETAILS)


def test_the_schema_lists_the_codes_of_all_errors_and_no_other() -> None:
    codes = _SCHEMA["$defs"]["error"]["properties"]["code"]["enum"]
    assert sorted(codes) == sorted(_LIBRARY_CODES | _COMMAND_CODES)


def test_the_page_explains_the_codes_of_all_errors_and_no_other() -> None:
    section = (_DOCS / "next-job.md").read_text().partition("## Error codes\n")[2]
    rows = [row.split("`")[1] for row in section.splitlines() if row.startswith("| `")]
    assert sorted(rows) == sorted(_LIBRARY_CODES | _COMMAND_CODES)


def test_the_page_names_the_class_of_each_code() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \|", (_DOCS / "next-job.md").read_text(), re.MULTILINE
    )
    assert dict(rows) == {kind.code: kind.__name__ for kind in _KINDS}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "$"),
        ({"error": {"code": "new"}}, "$"),
        ({"target": "a", "dryRun": True}, "$"),
    ],
)
def test_the_schema_refuses_what_is_no_output(document: dict[str, Any], place: str) -> None:
    assert [found.partition(" ")[0] for found in violations(document, _SCHEMA)] == [place]


def test_a_property_that_the_schema_does_not_describe_is_found() -> None:
    error = {"code": "usage", "kind": "k", "message": "m", "hint": "h", "more": 1}
    assert unknown_properties(error, _definition("error")) == ["$.more"]


@pytest.mark.parametrize("form", ["-ojson", "-o=json", "-qojson", "-qo json"])
@pytest.mark.parametrize("wrong", ["--nope", "nope"])
def test_a_wrong_command_line_is_json_however_json_is_asked_for(
    program: Program, form: str, wrong: str
) -> None:
    outcome = program(*form.split(), wrong)
    assert outcome.status in (2, 3)
    assert document_of(outcome.stdout, "failure")["error"]["code"] in (
        "usage",
        "unknown_command",
    )
