"""What is advised against a refusal, by the registry's name and its answer."""

from __future__ import annotations

import pytest

from oci_merge.errors import ErrorDetail, RegistryError
from oci_merge.registry.hints import Refusal, is_immutable, registry_hint

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("registry", "repository", "status", "codes", "words"),
    [
        (ECR, "team/app", 404, ["NAME_UNKNOWN"], "--repository-name team/app --region eu-west-1"),
        ("public.ecr.aws", "x1y2/team/app", 404, [], "--repository-name team/app"),
        ("docker.io", "team/sub/app", 401, ["UNAUTHORIZED"], "push to team/sub-app"),
        ("docker.io", "team/app", 403, ["DENIED"], "collaborator"),
        ("ghcr.io", "acme/app", 403, ["DENIED"], "packages: write"),
        ("registry.gitlab.com", "group/app", 403, ["DENIED"], "$CI_REGISTRY_IMAGE"),
        ("gitlab.example:5050", "group/app", 401, [], "job token"),
        ("europe-docker.pkg.dev", "project/app", 404, [], "PROJECT/REPOSITORY/IMAGE"),
        ("europe-docker.pkg.dev", "p/r/app", 404, ["NAME_UNKNOWN"], "create r "),
    ],
)
def test_a_registry_s_own_remedy_is_named(
    registry: str, repository: str, status: int, codes: list[str], words: str
) -> None:
    assert words in registry_hint(Refusal(registry, repository, status, codes))


def test_a_missing_project_of_harbor_is_known_by_its_sentence() -> None:
    refusal = Refusal("h.example", "other/app", 401, message="project other not found")
    assert "create it in Harbor" in registry_hint(refusal)


@pytest.mark.parametrize(
    ("registry", "status"), [("reg.example", 404), ("ghcr.io", 400), (ECR, 400), ("docker.io", 500)]
)
def test_where_nothing_special_helps_nothing_is_said(registry: str, status: int) -> None:
    assert registry_hint(Refusal(registry, "team/app", status)) == ""


@pytest.mark.parametrize(
    ("status", "message", "is_one"),
    [
        (412, "", True),
        (400, "the image tag '1.0' cannot be overwritten because the tag is immutable.", True),
        (403, "denied: immutability settings", True),
        (400, "Repository does not allow updating assets: docker-hosted", True),
        (403, "denied", False),
        (500, "immutable", False),
    ],
)
def test_an_immutable_tag_is_known_by_status_or_words(
    status: int, message: str, is_one: bool
) -> None:
    error = RegistryError(
        "refused", status=status, method="PUT", url="", details=[ErrorDetail("X", message)]
    )
    assert is_immutable(error) is is_one
