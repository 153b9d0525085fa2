"""Credentials in environment variables: of oci-merge, of docker and of CI systems. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.documents import AuthFile, parse_auth_file
from oci_merge.credentials.keys import Place, names_registry
from oci_merge.errors import CredentialError

USERNAME_VARIABLE = "OCI_MERGE_USERNAME"
PASSWORD_VARIABLE = "OCI_MERGE_PASSWORD"  # noqa: S105 - a variable's name
AUTH_CONFIG_VARIABLE = "DOCKER_AUTH_CONFIG"


def own_variables(environ: Mapping[str, str]) -> Answer:
    """Read ``OCI_MERGE_USERNAME`` and ``OCI_MERGE_PASSWORD``, which are for any registry.

    Args:
        environ: the environment.

    Returns:
        The credential, or ``Nothing`` if neither is set.

    Raises:
        CredentialError: only one of them is set, or a value is not valid UTF-8.
    """
    username, password = _value(environ, USERNAME_VARIABLE), _value(environ, PASSWORD_VARIABLE)
    if not username and not password:
        return Nothing("neither is set")
    if not username or not password:
        given, missing = USERNAME_VARIABLE, PASSWORD_VARIABLE
        if not username:
            given, missing = missing, given
        # No anonymous run instead: half a credential is a variable that failed to expand.
        raise CredentialError(
            f"{given} is set, but {missing} is not set",
            hint=f"set both {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}, or neither",
        )
    return _checked(Credential(username, password, f"{USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"))


def auth_config(environ: Mapping[str, str]) -> AuthFile | None:
    """Read ``DOCKER_AUTH_CONFIG``, which holds the content of a docker config.

    Args:
        environ: the environment.

    Returns:
        The docker config, or None if the variable is not set.

    Raises:
        CredentialError: the value is not a docker config.
    """
    content = environ.get(AUTH_CONFIG_VARIABLE, "")
    if not content.strip():
        return None
    return parse_auth_file(
        content.encode(errors="surrogateescape"),
        what=AUTH_CONFIG_VARIABLE,
        hint="set it to the JSON of a docker config, not to the name of a file",
    )


@frozen
class CiVariables:
    """Variables in which a CI system gives its jobs a credential for one registry.

    Attributes:
        name: names the variables in messages.
        pair: the names of the variables with the user name and with the password or token.
        user: the user name, if no variable holds it.
        registry: the registry; if empty, ``registry_variable`` names it.
        registry_variable: the variable that holds the registry.
        is_elsewhere: returns why the variables are another system's, as words that follow their
            name; empty if they are not.
    """

    name: str
    pair: tuple[str, str]
    user: str = ""
    registry: str = ""
    registry_variable: str = "CI_REGISTRY"
    is_elsewhere: Callable[[Mapping[str, str]], str] = lambda _: ""

    def look(self, environ: Mapping[str, str], place: Place) -> Answer:
        """Return the credential, if it is for this registry.

        Args:
            environ: the environment.
            place: the repository to find a credential for.

        Returns:
            The credential, or ``Nothing`` with the reason.

        Raises:
            CredentialError: a value is not valid UTF-8.
        """
        registry = self.registry or environ.get(self.registry_variable, "")
        username, password = (_value(environ, variable) for variable in self.pair)
        username = username or self.user
        if not registry:
            return Nothing(f"{self.registry_variable} is not set")
        if not username or not password:
            return Nothing(f"{self.pair[1] if username else self.pair[0]} is not set")
        if not names_registry(registry, place.registry):
            # A CI system's token must not be sent to any other registry.
            return Nothing(f"it is only for {printable(registry)}", is_there=True)
        if reason := self.is_elsewhere(environ):
            return Nothing(f"it {reason}", is_there=True, near=reason)
        return _checked(Credential(username, password, self.name, is_ambient=True))


def _not_github_com(environ: Mapping[str, str]) -> str:
    """Return why a job is not one of github.com, whose variables other systems set as well."""
    # Gitea and Forgejo call their own jobs' token GITHUB_TOKEN, and so does GitHub Enterprise.
    for variable in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"):
        if environ.get(variable):
            return f"is not github.com's: {variable} is set"
    server = environ.get("GITHUB_SERVER_URL", "")
    if server and server.lower().rstrip("/") != "https://github.com":
        return f"is not github.com's: GITHUB_SERVER_URL is {printable(server, limit=80)}"
    return ""


#: In the order of the search: a deploy token often allows less than the job's own token.
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
    # GHCR ignores the user name, but HTTP Basic needs one.
    CiVariables(
        "GitHub's GITHUB_TOKEN",
        ("GITHUB_ACTOR", "GITHUB_TOKEN"),
        "github-actions",
        registry="ghcr.io",
        is_elsewhere=_not_github_com,
    ),
)


def _value(environ: Mapping[str, str], variable: str) -> str:
    """Return a variable's value; a line break alone is as good as none."""
    value = environ.get(variable, "")
    return value if value.strip("\r\n") else ""


def _checked(credential: Credential) -> Credential:
    credential = credential.without_line_break()
    if not credential.is_text:
        raise CredentialError(f"the value of {credential.origin} is not valid UTF-8")
    return credential
