"""How a console of a page is read, and compared with what its commands print."""

from __future__ import annotations

import pytest

from tests.registry.docs.console import Block, is_as_shown, rewritten

CONSOLE = Block(
    "docs/page.md",
    3,
    "console",
    ("$ one \\", "    --more", "printed", "$ two <<END", "> text", "> END", "$ three"),
)


def test_a_command_goes_on_behind_a_backslash_and_a_second_prompt() -> None:
    commands = list(CONSOLE.commands())
    assert [command.text for command in commands] == [
        "one \\\n    --more",
        "two <<END\ntext\nEND",
        "three",
    ]
    assert [command.printed for command in commands] == [("printed",), (), ()]


def test_a_console_begins_with_a_command() -> None:
    with pytest.raises(ValueError, match=r"docs/page.md:3"):
        list(Block("docs/page.md", 3, "console", ("printed",)).commands())


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        (["a (b)", "c"], ["a (b)", "c"], True),
        (["a"], ["a", "c"], False),
        (["a", "c"], ["a"], False),
        (["sha256:0123"], ["sha256:…"], True),
        (["a", "b", "c"], ["a", "…"], True),
        (["a", "b", "c"], ["…", "c"], True),
        (["a", "b", "c"], ["…", "d"], False),
        (["took 3.25 s"], ["took 1 s"], True),
        (["took 3 seconds"], ["took 1 seconds"], False),
        (["tag 1.0 moved"], ["tag 2.0 moved"], False),
        (["tag 1 moved", "tag 2 moved", "end"], ["tag 2 moved", "tag 1 moved", "end"], True),
        (
            ["error: a", "hint: b", "x: published 1"],
            ["x: published 1", "error: a", "hint: b"],
            True,
        ),
        (["hint: b", "error: a"], ["error: a", "hint: b"], False),
        (["tag 1 moved", "end", "tag 2 moved"], ["tag 2 moved", "end", "tag 1 moved"], False),
    ],
)
def test_what_is_printed_has_to_be_as_shown(
    printed: list[str], shown: list[str], same: bool
) -> None:
    assert is_as_shown(printed, shown) is same


def test_only_what_is_shown_and_not_so_is_rewritten() -> None:
    assert rewritten(CONSOLE, [["other"], [], ["new"]]) == [
        "$ one \\",
        "    --more",
        "other",
        "$ two <<END",
        "> text",
        "> END",
        "$ three",
    ]
