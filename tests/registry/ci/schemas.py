"""Checks documents against the schemas of CI systems' vendors, within this process.

A process of its own takes check-jsonschema seconds to start, and a check takes hundredths of one.
"""

from __future__ import annotations

from pathlib import Path

from check_jsonschema import main  # type: ignore[import-untyped]
from click.testing import CliRunner


def refusal(text: str, schema: str, folder: Path, *arguments: str) -> str:
    """Check a document against a vendor's schema.

    Args:
        text: the YAML.
        schema: the name of the schema that check-jsonschema ships, such as `vendor.buildkite`.
        folder: where the document may be written.
        arguments: further arguments, such as `--data-transform`.

    Returns:
        What is wrong with the document, empty if nothing is.
    """
    file = folder / "document.yml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["--builtin-schema", schema, *arguments, str(file)])
    return "" if done.exit_code == 0 else done.output or repr(done.exception)
