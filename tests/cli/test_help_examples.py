"""Every example of every help text does what it shows."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from tests.cli.running import Program

PAGES = {
    "": 3,
    "inspect": 3,
    "credentials": 3,
    "completion": 3,
    "man": 2,
    "push": 0,
    "push from-args": 2,
    "push from-spec": 1,
}
"""How many examples each command's help has."""


@pytest.fixture
def images(registry: EmbeddedRegistry) -> str:
    """The images that the examples name; returns the digest of one."""
    amd64, arm = build_image("linux", "amd64"), build_image("linux", "arm", "v7")
    for repository, tag, image in [
        ("app-amd64", "1.0", amd64),
        ("app-armv7", "1.0", arm),
        ("app", "x86", amd64),
        ("app", "arm", arm),
        ("app", "1.0", amd64),
    ]:
        registry.add_image(repository, tag, image)
    return amd64.digest


def examples(page: str) -> list[list[str]]:
    """Return the command lines of a help text, without the name of the program.

    What the shell does with the output is left out.
    """
    joined = page.replace("\\\n", " ")
    return [
        shlex.split(re.split(" [>|] ", line.strip())[0])[1:]
        for line in joined.splitlines()
        if line.startswith("    oci-merge ")
    ]


@pytest.mark.parametrize("command", PAGES)
def test_the_examples_of_a_help_text_work(
    program: Program,
    host: str,
    images: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    page = program(*command.split(), "--help").stdout
    if spec := re.search(r"A spec\.yml:\n(.*?)\n\n", page, re.DOTALL):
        text = textwrap.dedent(spec[1]).replace("reg.example", host)
        Path("spec.yml").write_text(text)
    found = examples(page)
    assert len(found) == PAGES[command]
    for words in found:
        line = [word.replace("reg.example", host) for word in words]
        line = [re.sub(r"sha256:\w+\.\.\.", images, word) for word in line]
        outcome = program(*line)
        assert outcome.status == 0, (words, outcome)
        assert "error" not in outcome.stderr
        assert outcome.stdout.strip()
