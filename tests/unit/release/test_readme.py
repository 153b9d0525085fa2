"""Links of the README work on an index of packages, too, or are no links there."""

from __future__ import annotations

import pytest

from tools.release.readme import for_index

URL = "https://github.com/OWNER/oci-merge"
PICTURE = '<picture><source srcset="docs/dark.svg"><img alt="A" src="docs/light.svg"></picture>'


@pytest.mark.parametrize(
    ("text", "plain", "absolute"),
    [
        ("[The docs](docs/a.md).", "The docs.", f"[The docs]({URL}/blob/v1.0.0/docs/a.md)."),
        ("[a](./a.md#b)", "a", f"[a]({URL}/blob/v1.0.0/a.md#b)"),
        ('[a](a.md "A")', "a", f'[a]({URL}/blob/v1.0.0/a.md "A")'),
        ("[`a[0]`](a.md)", "`a[0]`", f"[`a[0]`]({URL}/blob/v1.0.0/a.md)"),
        ("![A](docs/a.svg)", "", f"![A]({URL}/raw/v1.0.0/docs/a.svg)"),
        ("[![A](a.svg)](a.md)", "", f"[![A]({URL}/raw/v1.0.0/a.svg)]({URL}/blob/v1.0.0/a.md)"),
        (
            PICTURE,
            "",
            PICTURE.replace('"docs/', f'"{URL}/raw/v1.0.0/docs/'),
        ),
        (
            '<a href="a.md">A [b](b.md)</a>',
            "A b",
            f'<a href="{URL}/blob/v1.0.0/a.md">A [b]({URL}/blob/v1.0.0/b.md)</a>',
        ),
        (
            '<a href="a.md"><img alt="A" src="a.svg"></a>',
            "",
            f'<a href="{URL}/blob/v1.0.0/a.md"><img alt="A" src="{URL}/raw/v1.0.0/a.svg"></a>',
        ),
    ],
)
def test_a_link_to_a_file_is_absolute_or_plain_text(text: str, plain: str, absolute: str) -> None:
    assert for_index(text) == plain
    assert for_index(text, URL, "v1.0.0") == absolute


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://example.com/a) and <https://example.com>",
        "[below](#below)",
        "![A](https://example.com/a.svg)",
        '<img src="https://example.com/a.svg" alt="A">',
        "[a]: https://example.com/a",
        "[mail](mailto:a@example.com)",
        "`[a](a.md)`",
        "```markdown\n[a](a.md)\n```",
        "~~~\n```\n[a](a.md)\n~~~",
        "- [ ] a list (of things)",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert for_index(text) == text
    assert for_index(text, URL, "v1.0.0") == text


def test_what_follows_code_is_rewritten() -> None:
    assert for_index("```\n[a](a.md)\n```\n[a](a.md)") == "```\n[a](a.md)\n```\na"


def test_a_link_that_is_defined_elsewhere_is_absolute_or_refused() -> None:
    text = "[a][b]\n\n[b]: docs/b.md"

    assert for_index(text, URL, "v1.0.0").endswith(f"[b]: {URL}/blob/v1.0.0/docs/b.md")
    with pytest.raises(ValueError, match="inline"):
        for_index(text)
