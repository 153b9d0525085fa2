"""Parses image references: ``[registry/]repository[:tag][@digest]``.

Names and tags follow the OCI distribution spec, "Pulling manifests"; the registry's part follows
Docker's reference grammar.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from urllib.parse import urlsplit

from oci_merge._frozen import frozen
from oci_merge._text import has_controls, printable
from oci_merge.errors import InvalidReferenceError
from oci_merge.model.digest import check_digest, is_bare_digest
from oci_merge.model.host import _HUB_NAMES, DOCKER_HUB, is_registry
from oci_merge.model.slips import unfilled_hint

# OCI distribution spec, "Pulling manifests": the grammar of ``<name>`` and ``<reference>``.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
#: Characters of registry and repository together; the spec names this as a common limit.
_MAX_NAME = 255


@frozen
class Reference:
    """A parsed image reference.

    Attributes:
        registry: the registry, as ``host`` or ``host:port``; ``docker.io`` for every name of
            Docker Hub.
        repository: the repository's name, with ``library/`` where Docker Hub implies it.
        tag: the tag, or None.
        digest: the digest, or None. If there is a tag as well, the digest is what is fetched.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """The reference without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str:
        """The last part of the manifest's URL: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    def with_tag(self, tag: str) -> Reference:
        """Return the reference to another tag in the same repository."""
        return replace(self, tag=tag, digest=None)


def parse_reference(text: str | Reference) -> Reference:
    """Parse a reference as Docker does.

    The first component is a registry if a ``/`` follows and it has a ``.``, a ``:`` or an upper
    case letter, or is ``localhost``; otherwise the registry is Docker Hub.

    Args:
        text: for example ``reg.example:5000/team/app:1.0``; a reference is returned as it is.

    Returns:
        The reference; without tag and digest where the text has none.

    Raises:
        InvalidReferenceError: the text does not follow the grammar; the hint says where.
    """
    # The digest first, then the tag: both may hold colons, and only a digest follows an ``@``.
    if isinstance(text, Reference):
        return text
    if not isinstance(text, str):
        raise InvalidReferenceError(
            f"a reference must be text, got {type(text).__name__}",
            hint="write it like reg.example/app:1.0",
        )
    _check_shape(text)
    rest, at, digest = text.partition("@")
    name, tag = _split_tag(rest)
    first, slash, remainder = name.partition("/")
    if slash and is_registry(first):
        registry, repository = _canonical_registry(first), remainder
    else:
        registry, repository = DOCKER_HUB, name
    if registry == DOCKER_HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    _check_registry(text, registry)
    _check_repository(text, repository)
    if tag == "":
        raise InvalidReferenceError(
            f"{printable(text)!r} ends in a colon, and no tag follows",
            hint="write the tag; perhaps the variable for it is empty",
        )
    if tag is not None:
        check_tag(tag)
    reference = Reference(registry, repository, tag, check_digest(digest) if at else None)
    if len(reference.name) > _MAX_NAME:
        raise InvalidReferenceError(
            f"the name of {printable(text)!r} has {len(reference.name)} characters, "
            f"{_MAX_NAME} are allowed"
        )
    return reference


def check_tag(tag: str) -> str:
    """Return ``tag`` if it is a valid tag (OCI distribution spec, "Pulling manifests").

    Args:
        tag: a bare tag: up to 128 of ``A-Za-z0-9_.-``, of which ``.`` and ``-`` do not start it.

    Raises:
        InvalidReferenceError: it is not a valid tag.
    """
    if not tag:
        raise InvalidReferenceError(
            "'' is not a tag",
            hint="drop the comma too many, or set the variable for it",
        )
    if not _TAG.fullmatch(tag):
        raise InvalidReferenceError(
            f"{printable(tag)!r} is not a tag",
            hint=unfilled_hint(tag)
            or "a tag has up to 128 letters, digits, '_', '.' and '-', "
            "and starts with a letter, a digit or '_'",
        )
    return tag


def _check_shape(text: str) -> None:
    if not text:
        raise InvalidReferenceError("an image reference is empty")
    _, found, rest = text.partition("://")
    if found:
        raise InvalidReferenceError(
            f"{printable(text)!r} starts with a scheme", hint=f"write {printable(rest)} instead"
        )
    if is_bare_digest(text):
        # By the grammar, an image called sha256 of Docker Hub's library.
        raise InvalidReferenceError(
            f"{printable(text)!r} is a digest, and says nothing of its repository",
            hint="write the repository before it, as in reg.example/app@sha256:…",
        )
    if text != text.strip() or has_controls(text):
        raise InvalidReferenceError(
            f"{printable(text)!r} has spaces around it or control characters in it"
        )


def _split_tag(text: str) -> tuple[str, str | None]:
    """Split off ``:tag``; a colon that a slash follows belongs to the registry's port."""
    head, colon, tail = text.rpartition(":")
    if not colon or "/" in tail:
        return text, None
    return head, tail


def _canonical_registry(registry: str) -> str:
    lower = registry.lower()
    if not is_registry(lower):
        # Without its upper case, the text would mean a repository of Docker Hub.
        return registry
    return DOCKER_HUB if lower in _HUB_NAMES else lower


def _check_registry(text: str, registry: str) -> None:
    if not _REGISTRY.fullmatch(registry) or not _is_authority(registry):
        raise InvalidReferenceError(
            f"{text!r}: {registry!r} is not a registry's host and port",
            hint=unfilled_hint(registry)
            or "a registry is host or host:port, for example reg.example:5000",
        )


def _is_authority(registry: str) -> bool:
    """Say whether the port and the IPv6 address are valid; their form has been checked."""
    try:
        parts = urlsplit(f"//{registry}")
        if registry.startswith("["):
            ipaddress.IPv6Address(parts.hostname or "")
        return parts.port != 0
    except ValueError:
        return False


def _check_repository(text: str, repository: str) -> None:
    if _REPOSITORY.fullmatch(repository):
        return
    if hint := unfilled_hint(repository):
        pass
    elif not repository:
        hint = "a repository name has to follow the registry"
    elif repository != repository.lower():
        hint = "a repository name is lower case; ARCH, OS and VARIANT are replaced in templates"
    elif repository.endswith("/"):
        hint = "leave out the slash at its end"
    elif repository.endswith(("-", "_", ".")) or "//" in repository:
        hint = "a separator needs a name on both of its sides"
    else:
        hint = "a repository name has lower-case letters, digits, '.', '_', '-' and '/'"
    raise InvalidReferenceError(f"{text!r} is not an image reference", hint=hint)
