"""Credentials in variables: oci-merge's own, docker's, and those of CI systems. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oci_merge._text import printable
from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.documents import AuthFile, parse_auth_file
from oci_merge.credentials.keys import Place, names_registry
from oci_merge.errors import CredentialError

USERNAME_VARIABLE = "OCI_MERGE_USERNAME"
PASSWORD_VARIABLE = "OCI_MERGE_PASSWORD"  # noqa: S105 - a variable's name
AUTH_CONFIG_VARIABLE = "DOCKER_AUTH_CONFIG"


def own_variables(environ: Mapping[str, str]) -> Answer:
    """Read the variables that are oci-merge's own; they are for every registry.

    Raises:
        CredentialError: one is set without the other, or they hold what is no text.
    """
    username, password = environ.get(USERNAME_VARIABLE), environ.get(PASSWORD_VARIABLE)
    if not username and not password:
        return Nothing("neither is set")
    if not username or not password:
        missing = PASSWORD_VARIABLE if username else USERNAME_VARIABLE
        raise CredentialError(
            f"{missing} is not set, but its partner is",
            hint=f"set both {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, or neither",
        )
    return _checked(Credential(username, password, f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"))


def auth_config(environ: Mapping[str, str]) -> AuthFile | None:
    """Read the variable that holds a docker config's content; None if it is not set.

    Raises:
        CredentialError: it holds something else.
    """
    content = environ.get(AUTH_CONFIG_VARIABLE, "")
    if not content.strip():
        return None
    return parse_auth_file(
        content.encode(errors="surrogateescape"),
        what=AUTH_CONFIG_VARIABLE,
        hint="it has to hold the JSON of a docker config itself, not the name of a file",
    )


@dataclass(frozen=True, slots=True)
class CiVariables:
    """A user name and a password that a CI system sets for its jobs, for one registry alone.

    Attributes:
        name: the variables, in words.
        pair: the variables of the user's name and of the password or token.
        user: the user's name where no variable says it.
        registry: the registry, or else
        registry_variable: the variable that says it.
    """

    name: str
    pair: tuple[str, str]
    user: str = ""
    registry: str = ""
    registry_variable: str = "CI_REGISTRY"

    def look(self, environ: Mapping[str, str], place: Place) -> Answer:
        """Read the variables, if they are for this registry.

        Raises:
            CredentialError: they hold what is no text.
        """
        registry = self.registry or environ.get(self.registry_variable, "")
        username, password = (environ.get(variable, "") for variable in self.pair)
        username = username or self.user
        if not registry:
            return Nothing(f"{self.registry_variable} is not set")
        if not username or not password:
            return Nothing(f"{self.pair[1] if username else self.pair[0]} is not set")
        if not names_registry(registry, place.registry):
            return Nothing(f"it is for {printable(registry)} alone", is_there=True)
        return _checked(Credential(username, password, self.name))


#: In this order: a deploy token often allows less than a job's own.
CI_VARIABLES = (
    CiVariables(
        "GitLab's CI_REGISTRY_USER and CI_REGISTRY_PASSWORD",
        ("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"),
    ),
    CiVariables("GitLab's CI_JOB_TOKEN", ("", "CI_JOB_TOKEN"), "gitlab-ci-token"),
    CiVariables(
        "GitLab's CI_DEPLOY_USER and CI_DEPLOY_PASSWORD",
        ("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"),
    ),
    # GHCR looks at the token alone; the name may be any.
    CiVariables(
        "GitHub's GITHUB_TOKEN",
        ("GITHUB_ACTOR", "GITHUB_TOKEN"),
        "github-actions",
        registry="ghcr.io",
    ),
)


def _checked(credential: Credential) -> Credential:
    if not credential.is_text:
        raise CredentialError(f"{credential.origin}: what is set is not valid UTF-8")
    return credential
