"""Every console and every script that README and the docs show does what they say.

With `OCI_MERGE_WRITE_DOCS=1` the consoles are rewritten with what their commands print.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.named_registries import NamedRegistries
from tests.registry.ci.running import Job
from tests.registry.docs.console import ROOT, Block, blocks, is_as_shown, pages, rewritten
from tests.registry.docs.scenes import SCENES
from tests.registry.docs.world import REGISTRIES, World

WRITING = os.environ.get("OCI_MERGE_WRITE_DOCS") == "1"

CI_SCRIPTS = {"docs/ci/buildx.md", "docs/ci/github.md", "docs/ci/gitlab.md", "docs/ci/other.md"}
"""Pages with scripts of jobs, which tests/registry/ci runs."""

LANGUAGES = {"", "console", "dockerfile", "fish", "groovy", "json", "python", "yaml", "zsh"}

RUN = {
    page: [block for block in blocks(page) if block.language in ("console", "python")]
    for page in pages()
}
"""What is run, by the pages that have it."""


@pytest.mark.parametrize("page", [page for page, found in RUN.items() if found])
def test_a_page_shows_what_its_commands_do(
    page: str, docker_registry: Path, tmp_path: Path
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    with NamedRegistries({name: None for name in REGISTRIES if name in text}) as named:
        world = World(named, Job(tmp_path, named))
        if page in SCENES:
            SCENES[page](world)
        for block in RUN[page]:
            if block.language == "python":
                world.run_python(block)
            else:
                _check(world, block)
        world.check_used()


def _check(world: World, block: Block) -> None:
    typed = world.type(block)
    if WRITING:
        _write(block, rewritten(block, [list(one.printed) for one in typed]))
        return
    for one in typed:
        where = f"{block.page}:{block.line}: {one.command.text}"
        printed = "\n".join(one.printed)
        shown = "\n".join(one.command.printed)
        # A command of which a page shows nothing may print what it likes, but has to succeed.
        if shown:
            assert is_as_shown(one.printed, one.command.printed), f"{where}\n{printed}"
        assert (one.status != 0) == ("error:" in shown), f"{where}\n{printed}"


def _write(block: Block, lines: list[str]) -> None:
    path = ROOT / block.page
    text = path.read_text(encoding="utf-8")
    old, new = ("\n".join(["```console", *content, "```"]) for content in (block.content, lines))
    assert text.count(old) == 1, f"{block.page}:{block.line}"
    # What a page warns of must not go unseen.
    assert ("error:" in old, "warning:" in old) == ("error:" in new, "warning:" in new), new
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_fence_has_a_language_that_is_checked() -> None:
    for page in pages():
        for block in blocks(page):
            allowed = LANGUAGES | ({"sh"} if page in CI_SCRIPTS else set())
            assert block.language in allowed, f"{page}:{block.line}"


def test_no_scene_is_for_a_page_that_shows_nothing() -> None:
    assert not [page for page in SCENES if not RUN.get(page)]
