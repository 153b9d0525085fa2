"""Where the credentials of a registry come from.

``CredentialSearch`` looks in the order that ``docs/credentials.md`` gives, for one repository at a
time, since the containers tools keep credentials for parts of a registry. Nothing is read before a
registry asks who is there. ``explain_credentials`` says what came of a search, and why.
"""

from oci_merge.credentials.credential import Credential, CredentialKind
from oci_merge.credentials.explanation import (
    CredentialExplanation,
    CredentialSource,
    explain_credentials,
)
from oci_merge.credentials.files import docker_config_file
from oci_merge.credentials.search import CredentialSearch, given_credential

__all__ = [
    "Credential",
    "CredentialExplanation",
    "CredentialKind",
    "CredentialSearch",
    "CredentialSource",
    "docker_config_file",
    "explain_credentials",
    "given_credential",
]
