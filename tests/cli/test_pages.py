"""What the writers of completion scripts and pages are told of the commands."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from oci_merge_cli.app import SHARED_OPTIONS, app
from oci_merge_cli.output.render import table
from oci_merge_cli.reference.fish import fish_script
from oci_merge_cli.reference.markdown import reference_page
from oci_merge_cli.reference.pages import Note, Page, Parameter, page_of, told_before
from oci_merge_cli.reference.roff import man_page
from oci_merge_cli.reference.zsh import zsh_script

PROGRAM = get_command(app)
ROOT = page_of(PROGRAM.make_context("oci-merge", [], resilient_parsing=True), SHARED_OPTIONS)
PAGES = {page.path: page for page in ROOT.walk()}
EVIL = "a 'b' [c]: d\\e `f` $(g) \"h\""


def option_of(path: str, spelling: str) -> Parameter:
    """Return an option of a command."""
    (found,) = [each for each in PAGES[path].options if spelling in each.spellings]
    return found


@pytest.mark.parametrize(
    ("path", "spelling", "choices"),
    [
        ("", "--format", ("auto", "oci", "docker")),
        ("", "--progress", ("auto", "plain", "json", "none")),
        ("", "--only-newer", ("version", "created")),
        ("", "-o", ("text", "json")),
        ("inspect", "--output", ("text", "table", "json", "manifest")),
        ("push from-spec", "--type", ("docker", "oci")),
        ("", "--target", ()),
        ("", "--retries", ()),
        ("", "--source", ()),
        ("", "--quiet", ()),
    ],
)
def test_the_words_that_a_value_may_be_are_known(
    path: str, spelling: str, choices: tuple[str, ...]
) -> None:
    assert option_of(path, spelling).choices == choices


def test_every_option_that_names_a_file_takes_files() -> None:
    takers = {each.spellings[-1] for each in ROOT.options if each.takes_files}
    assert {"--source-file", "--digest-file", "--ca-file", "--docker-cfg"} <= takers
    assert {"--template", "--target", "--username", "--platforms"}.isdisjoint(takers)
    assert [each.takes_files for each in PAGES["push from-spec"].arguments] == [True]


def test_options_of_a_group_that_may_follow_its_commands_are_inherited() -> None:
    assert option_of("push from-args", "--type") in PAGES["push"].shared
    assert option_of("push", "--username") in ROOT.shared
    assert PAGES["man"].inherited == PAGES["completion"].inherited == ()


def test_the_summary_is_the_first_sentence_without_the_default() -> None:
    parameter = option_of("", "--output")
    assert parameter.summary.startswith(
        "What to write to stdout: the line 'Digest: sha256:... SIZE'"
    )
    assert all(not each.summary.endswith(".") for page in ROOT.walk() for each in page.options)


def test_what_the_program_s_page_says_is_not_said_again() -> None:
    told = {each.spellings[-1] for each in told_before(PAGES["inspect"], ROOT)}
    assert {"--username", "--retries", "--help"} <= told
    assert "--output" not in told  # inspect has other words
    assert told_before(ROOT, ROOT) == ()


def evil_page() -> Page:
    """A program whose texts have every character that a writer has to escape."""
    option = Parameter(spellings=("--evil",), value="FILE", text=f"{EVIL}. More.", panel="P")
    dotted = Parameter(spellings=(), value="X", text=".SH no heading", panel="P")
    inner = Page(
        program="p", words=("do",), usage="", summary=EVIL, description=(EVIL,), parameters=()
    )
    return Page(
        program="p",
        words=(),
        usage="[OPTIONS]",
        summary="P",
        description=("P.", EVIL),
        parameters=(option, dotted),
        notes=(Note("Examples:", ("'quoted' \\", ".dotted")),),
        commands=(inner,),
    )


def test_zsh_gets_descriptions_in_which_nothing_is_special() -> None:
    text = zsh_script(evil_page())
    assert r"[a '\''b'\'' \[c\]\: d\\e `f` $(g)" + ' "h"]' in text


def test_fish_gets_descriptions_in_which_nothing_is_special() -> None:
    assert "-d 'a \\'b\\' [c]: d\\\\e `f` $(g) \"h\"'" in fish_script(evil_page())


def test_no_text_becomes_a_request_of_roff() -> None:
    lines = man_page(evil_page(), "1.0").splitlines()
    assert "\\&.SH no heading" in lines
    assert "\\&.dotted" in lines
    assert "\\&'quoted' \\e" in lines
    assert all(
        re.match(r"\.(TH|SH|SS|TP|PP|RS|RE|nf|fi|br|B|I|\\\")", x) for x in lines if x[0] in ".'"
    )


def test_no_text_becomes_markdown() -> None:
    assert "d\\\\e \\`f\\`" in reference_page(evil_page())


HEADING = ("PLATFORM", "DIGEST", "NOTE")
ROWS = [("linux/amd64", "sha256:" + "a" * 20, "x"), ("linux/arm/v7", "sha256:" + "b" * 20, "")]


@pytest.mark.parametrize("width", [None, 200, 47])
def test_rows_that_fit_are_a_table(width: int | None) -> None:
    assert table(HEADING, ROWS, width) == [
        "PLATFORM      DIGEST                       NOTE",
        "linux/amd64   sha256:aaaaaaaaaaaaaaaaaaaa  x",
        "linux/arm/v7  sha256:bbbbbbbbbbbbbbbbbbbb",
    ]


def test_rows_that_do_not_fit_are_blocks_without_empty_cells() -> None:
    assert table(HEADING, ROWS, 40) == [
        "linux/amd64",
        "  DIGEST  sha256:aaaaaaaaaaaaaaaaaaaa",
        "  NOTE    x",
        "linux/arm/v7",
        "  DIGEST  sha256:bbbbbbbbbbbbbbbbbbbb",
    ]


def test_a_cell_that_does_not_fit_has_a_line_of_its_own_and_is_never_cut() -> None:
    assert table(HEADING, ROWS[1:], 32) == [
        "linux/arm/v7",
        "  DIGEST",
        "    sha256:bbbbbbbbbbbbbbbbbbbb",
    ]
    assert table(HEADING, ROWS[1:], 20)[-1] == "sha256:bbbbbbbbbbbbbbbbbbbb"


def test_hostile_cells_are_escaped_in_blocks_as_in_tables() -> None:
    lines = table(("A", "B"), [("x\x1b[2J", "y" * 50 + "\n")], 40)
    assert lines == ["x\\x1b[2J", "  B", "y" * 50 + "\\n"]
