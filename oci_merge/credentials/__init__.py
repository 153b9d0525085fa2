"""Where the credentials of a registry come from.

``CredentialSearch`` looks in the order that ``docs/credentials.md`` gives, for one repository at a
time, since the containers tools keep credentials for parts of a registry. Nothing is read before a
registry asks who is there. ``explanation`` says what came of a search, and why.
"""

from oci_merge.credentials.credential import Credential, CredentialKind
from oci_merge.credentials.files import docker_config_file
from oci_merge.credentials.search import CredentialSearch, given_credential

__all__ = [
    "Credential",
    "CredentialKind",
    "CredentialSearch",
    "docker_config_file",
    "given_credential",
]
