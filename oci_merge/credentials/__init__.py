"""Finds the credentials for a registry in files, helpers and variables.

``CredentialSearch`` looks in the order that ``docs/credentials.md`` gives, for one repository at a
time, since the containers tools keep credentials for parts of a registry. Nothing is read before a
registry sends a challenge, or denies a request without one. ``explanation`` reports the result of a
search and the reasons; ``advice`` names the other logins where one is denied.
"""

from oci_merge._programs import Stop
from oci_merge.credentials.credential import Credential, CredentialKind
from oci_merge.credentials.files import docker_config_file
from oci_merge.credentials.search import CredentialSearch, given_credential

__all__ = [
    "Credential",
    "CredentialKind",
    "CredentialSearch",
    "Stop",
    "docker_config_file",
    "given_credential",
]
