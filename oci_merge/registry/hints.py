"""Says what to do about a refused write at each known registry (ECR, GHCR, Harbor, ...). Pure.

Registries refuse a missing repository, or one that the user may not write to, with codes that say
little. The remedy is a command or a setting of that registry. Which one it is shows in the
registry's name and its answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oci_merge._frozen import frozen
from oci_merge.errors import RegistryError
from oci_merge.model.host import DOCKER_HUB, ECR

_MISSING_CODES = frozenset({"NAME_UNKNOWN", "NAME_INVALID", "NOT_FOUND", "PROJECT_NOT_FOUND"})
_UNSUPPORTED_CODES = frozenset({"MANIFEST_INVALID", "UNSUPPORTED", "UNSUPPORTED_MEDIA_TYPE"})
_IMMUTABLE = re.compile(
    r"immutab|cannot be overwritten|does not allow updating|not allow.{0,20}redeploy"
    r"|tag.{0,40}already exists",
    re.IGNORECASE,
)


@frozen
class Refusal:
    """A request that a registry refused, and its answer.

    Attributes:
        registry: the registry's name.
        repository: the repository that was to be written to.
        status: the response's status.
        codes: the registry's error codes.
        message: what the registry said.
    """

    registry: str
    repository: str
    status: int
    codes: Sequence[str] = ()
    message: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether the repository, or the project that it belongs to, seems to be missing."""
        return self.status == 404 or not _MISSING_CODES.isdisjoint(self.codes)

    @property
    def is_denied(self) -> bool:
        """Whether the credentials seem not to suffice."""
        return self.status in (401, 403)


def registry_hint(refusal: Refusal) -> str:
    """Return what to do about a refused write, or an empty string where nothing special helps."""
    for find in (_ecr, _ecr_public, _docker_hub, _ghcr, _gitlab, _google, _harbor):
        if found := find(refusal):
            return found
    return ""


def is_immutable(error: RegistryError) -> bool:
    """Say whether a refusal to move a tag is because it may not move."""
    if error.status == 412:
        return True
    said = [error.message, *(detail.message for detail in error.details)]
    return error.status < 500 and any(_IMMUTABLE.search(text) for text in said)


def docker_hint(error: RegistryError, media_type: str) -> str:
    """Return what to do where a registry may have refused a manifest for being Docker's.

    Args:
        error: the registry's refusal.
        media_type: the manifest's media type.
    """
    is_refused = error.status == 415 or not _UNSUPPORTED_CODES.isdisjoint(error.codes)
    if not is_refused or "docker" not in media_type:
        return ""
    if "list" in media_type:
        return (
            "registries such as zot take OCI alone: make an OCI index with --format oci "
            "(push --type oci)"
        )
    return (
        "registries such as zot take OCI alone: build the image with oci-mediatypes=true, or have "
        "Docker's types enabled there"
    )


def _ecr(refusal: Refusal) -> str:
    match = ECR.fullmatch(refusal.registry)
    if not match or not refusal.is_missing:
        return ""
    return (
        "ECR makes no repository by itself: run aws ecr create-repository "
        f"--repository-name {refusal.repository} --region {match['region']}"
    )


def _ecr_public(refusal: Refusal) -> str:
    if refusal.registry != "public.ecr.aws" or not refusal.is_missing:
        return ""
    name = refusal.repository.partition("/")[2] or refusal.repository
    return (
        "ECR Public makes no repository by itself: run aws ecr-public create-repository "
        f"--repository-name {name} --region us-east-1"
    )


def _docker_hub(refusal: Refusal) -> str:
    if refusal.registry != DOCKER_HUB:
        return ""
    if refusal.repository.count("/") > 1:
        first, *rest = refusal.repository.split("/")
        return (
            "Docker Hub has names of two parts only: "
            f"push to {first}/{'-'.join(rest)} instead of {refusal.repository}"
        )
    if refusal.is_denied:
        return (
            "on Docker Hub the account has to own the namespace or be a collaborator of the "
            f"repository {refusal.repository}, and an access token needs the right to write"
        )
    return ""


def _ghcr(refusal: Refusal) -> str:
    if refusal.registry != "ghcr.io" or not (refusal.is_denied or refusal.is_missing):
        return ""
    return (
        "give the token the right to write packages (permissions: packages: write in the "
        "workflow); where the package was first pushed by somebody else, add this repository "
        "under its Package settings, Manage Actions access, with the role Write"
    )


def _gitlab(refusal: Refusal) -> str:
    labels = refusal.registry.partition(":")[0].split(".")
    if "gitlab" not in labels or not (refusal.is_denied or refusal.is_missing):
        return ""
    return (
        "a GitLab job token pushes to the registry of its own project alone: name a target "
        "below $CI_REGISTRY_IMAGE, or use a deploy token or a project access token with "
        "write_registry; the container registry of the project has to be enabled"
    )


def _google(refusal: Refusal) -> str:
    if not refusal.registry.endswith("-docker.pkg.dev"):
        return ""
    parts = refusal.repository.split("/")
    if len(parts) < 3:
        return "Artifact Registry has names of PROJECT/REPOSITORY/IMAGE"
    if not refusal.is_missing:
        return ""
    location = refusal.registry.removesuffix("-docker.pkg.dev")
    return (
        "Artifact Registry makes no repository by itself: run gcloud artifacts repositories "
        f"create {parts[1]} --repository-format=docker --location={location} --project={parts[0]}"
    )


def _harbor(refusal: Refusal) -> str:
    """Return Harbor's hint. It runs under any host name, so only its answer tells it."""
    project, _, rest = refusal.repository.partition("/")
    if re.search(r"project \S+ not found", refusal.message) or "PROJECT_NOT_FOUND" in refusal.codes:
        return (
            f"the project {project} has to be there first: create it in Harbor, under Projects, "
            "New Project, and give the robot account the right to push to it"
        )
    if not rest and "invalid repository name" in refusal.message:
        return f"Harbor's names begin with a project: push to PROJECT/{refusal.repository}"
    return ""
