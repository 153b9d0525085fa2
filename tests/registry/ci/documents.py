"""The YAML of our pages and of the files that CI systems read, and the schemas of their vendors."""

from __future__ import annotations

from pathlib import Path

from check_jsonschema import main  # type: ignore[import-untyped]
from click.testing import CliRunner

from tests.registry.docs import console

ROOT = console.ROOT


def blocks(page: str, language: str = "yaml") -> list[str]:
    """Return the fenced blocks of a page in one language, in their order.

    Args:
        page: the page below the project's folder, such as `docs/ci/gitlab.md`.
        language: the word behind the fence.
    """
    found = console.blocks(page, language)
    return ["".join(f"{line}\n" for line in block.content) for block in found]


def block(page: str, first_line: str, language: str = "yaml") -> str:
    """Return the one block of a page whose first line is the given one, such as `# merge`."""
    (found,) = [text for text in blocks(page, language) if text.startswith(f"{first_line}\n")]
    return found


def refusal(text: str, schema: str, folder: Path, *arguments: str) -> str:
    """Check a document against a vendor's schema, by check-jsonschema.

    Within this process, since a check takes hundredths of a second, and the start of another one
    seconds.

    Args:
        text: the YAML.
        schema: the name of the schema that check-jsonschema ships, such as `vendor.gitlab-ci`.
        folder: where the document may be written.
        arguments: further arguments, such as `--data-transform`.

    Returns:
        What is wrong with the document, empty if nothing is.
    """
    file = folder / "document.yml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["--builtin-schema", schema, *arguments, str(file)])
    return "" if done.exit_code == 0 else done.output or repr(done.exception)
