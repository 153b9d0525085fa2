"""What a wrong word was likely meant to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.model.slips import platform_hint, template_hint, unfilled_hint


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("$TAG", "$TAG"),
        ("reg.example/app:${TAG}", "${TAG}"),
        ("reg.example/app:${TAG:-latest}", "${TAG:-latest}"),
        ("app:$(git describe)", "$(git describe)"),
        ("app:$(Build.BuildId)", "$(Build.BuildId)"),  # Azure's, outside of a pipeline
        ("app:${{ github.sha }}", "${{ github.sha }}"),  # GitHub's, outside of a workflow
        ("app:{{ version }}", "{{ version }}"),
        ("%REGISTRY%/app", "%REGISTRY%"),
    ],
)
def test_a_variable_that_nobody_filled_in_is_named(text: str, variable: str) -> None:
    assert unfilled_hint(text).startswith(f"{variable} was not filled in: ")


@pytest.mark.parametrize("text", ["", "latest", "reg.example:5000/app-ARCH:1.0", "$", "%", "{}"])
def test_other_texts_have_no_variable(text: str) -> None:
    assert unfilled_hint(text) == ""


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "drop the comma too many, or set the variable for it"),
        ("amd64", "write linux/amd64"),
        ("arm64", "write linux/arm64"),
        ("'linux/amd64", "leave out the quotes within the value"),
        ("linux/amd64;linux/arm64", "part platforms by commas, without spaces"),
        ("linux/amd64 linux/arm64", "part platforms by commas, without spaces"),
        ("$PLATFORMS", "$PLATFORMS was not filled in"),
        ("linux/arm/v7/x", "a platform is os/architecture or os/architecture/variant"),
    ],
)
def test_a_platform_is_advised_by_how_it_is_wrong(text: str, advice: str) -> None:
    assert platform_hint(text).startswith(advice)


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ("reg.example/app-arch:1", "arch"),
        ("reg.example/app-{arch}:1", "{arch}"),
        ("reg.example/app-{{Arch}}:1", "{{Arch}}"),
        ("reg.example/app:1-architecture", "architecture"),
        ("reg.example/app-variant:1", "variant"),
    ],
)
def test_a_placeholder_that_is_written_otherwise_is_named(template: str, word: str) -> None:
    assert template_hint(template).endswith(f"in place of {word}")


@pytest.mark.parametrize("template", ["reg.example/app:1", "", "reg.example/os/app:1"])
def test_a_template_without_anything_like_it_gets_an_example(template: str) -> None:
    assert template_hint(template).startswith("write it like reg.example/app-ARCH:1.0")


@given(st.text())
def test_whatever_the_text_the_hint_is_one_short_line(text: str) -> None:
    for hint in (unfilled_hint(text), platform_hint(text), template_hint(text)):
        assert hint.isprintable()
