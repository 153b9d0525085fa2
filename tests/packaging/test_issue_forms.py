"""The forms for issues are as GitHub wants them, and ask for what is needed to help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tests.packaging.conftest import ROOT

FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.name != "config.yml")

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Validations(_Strict):
    required: bool = False


class _Labelled(_Strict):
    label: _Text
    description: str = ""


class _MarkdownAttributes(_Strict):
    value: _Text


class _InputAttributes(_Labelled):
    placeholder: str = ""
    value: str = ""


class _AreaAttributes(_InputAttributes):
    render: str = ""


class _DropdownAttributes(_Labelled):
    options: Annotated[list[_Text], Field(min_length=1)]
    multiple: bool = False
    default: int | None = None


class _Element(_Strict):
    id: _Id | None = None
    validations: _Validations = _Validations()


class _Markdown(_Strict):
    type: Literal["markdown"]
    attributes: _MarkdownAttributes


class _Input(_Element):
    type: Literal["input"]
    attributes: _InputAttributes


class _Area(_Element):
    type: Literal["textarea"]
    attributes: _AreaAttributes


class _Dropdown(_Element):
    type: Literal["dropdown"]
    attributes: _DropdownAttributes


class _Form(_Strict):
    """What GitHub's "Syntax for issue forms" allows, but for checkboxes, which ours do without."""

    name: Annotated[str, Field(min_length=3, max_length=200)]
    description: _Text
    title: str = ""
    labels: list[str] = []
    body: Annotated[
        list[Annotated[_Markdown | _Input | _Area | _Dropdown, Field(discriminator="type")]],
        Field(min_length=1),
    ]


def elements(name: str) -> dict[str, Any]:
    """Return the elements of a form by their ids."""
    form = _Form.model_validate(yaml.safe_load((FOLDER / name).read_text()))
    return {each.id: each for each in form.body if not isinstance(each, _Markdown) and each.id}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_is_as_github_wants_it(path: Path) -> None:
    form = _Form.model_validate(yaml.safe_load(path.read_text()))

    asked = [each for each in form.body if not isinstance(each, _Markdown)]
    assert asked
    for unique in ([each.id for each in asked], [each.attributes.label for each in asked]):
        assert len(set(unique)) == len(unique)
    for each in asked:
        if isinstance(each, _Dropdown):
            assert len(set(each.attributes.options)) == len(each.attributes.options)


@pytest.mark.parametrize(
    "change",
    [{"body": []}, {"titel": "A"}, {"body": [{"type": "inptu", "attributes": {"label": "A"}}]}],
)
def test_a_form_with_a_mistake_would_be_found(change: dict[str, Any]) -> None:
    document = yaml.safe_load((FOLDER / "bug.yml").read_text())

    with pytest.raises(ValidationError):
        _Form.model_validate(document | change)


def test_a_report_has_the_version_the_registry_and_what_debug_prints() -> None:
    asked = elements("bug.yml")

    for name in ("version", "registry", "happened", "debug"):
        assert asked[name].validations.required
    assert "oci-merge --version" in asked["version"].attributes.description
    assert "--debug" in asked["debug"].attributes.description
    assert asked["debug"].attributes.render == "text"  # it is no Markdown


def test_what_is_chosen_beside_the_forms_is_known() -> None:
    document = yaml.safe_load((FOLDER / "config.yml").read_text())

    TypeAdapter(dict[Literal["blank_issues_enabled"], bool]).validate_python(document)
