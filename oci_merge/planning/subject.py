"""Checks the artifact type and the subject that an index is to have. Pure.

OCI image spec, "Image Index Property Descriptions".
"""

from __future__ import annotations

import re
from typing import NoReturn

from oci_merge._text import printable
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model.digest import check_digest, is_bare_digest
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.options import ListFormat

#: RFC 6838, section 4.2: a type and a subtype.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_NAME}/{_NAME}")


def check_artifact_type(artifact_type: str | None, list_format: ListFormat) -> str:
    """Return an artifact type, or an empty string where none is given.

    Args:
        artifact_type: a media type, such as ``application/vnd.example.release``.
        list_format: the kind of index.

    Raises:
        UsageError: it is no media type, or the index would be a Docker list.
    """
    if artifact_type is None:
        return ""
    if not _MEDIA_TYPE.fullmatch(artifact_type):
        raise UsageError(
            f"the artifact type {printable(artifact_type)!r} is not a media type",
            hint="write it like application/vnd.example.release",
        )
    if list_format == "docker":
        _refuse_docker("artifact type")
    return artifact_type


def check_subject(
    subject: str | Reference | None, target: Reference, list_format: ListFormat
) -> Reference | None:
    """Return the subject of an index, which is in the target's repository.

    Args:
        subject: a reference with a tag or a digest, or a digest alone.
        target: the first target.
        list_format: the kind of index.

    Raises:
        InvalidReferenceError: it is no such reference.
        UsageError: it is in another repository, or the index would be a Docker list.
    """
    if subject is None:
        return None
    if list_format == "docker":
        _refuse_docker("subject")
    if isinstance(subject, str) and is_bare_digest(subject):
        return Reference(target.registry, target.repository, digest=check_digest(subject))
    reference = parse_reference(subject)
    if not reference.tag and not reference.digest:
        raise InvalidReferenceError(
            f"the subject {reference} has neither a tag nor a digest",
            hint=f"say which image it is, for example {reference}:latest",
        )
    if reference.name != target.name:
        raise UsageError(
            f"the subject {reference} is not in the target's repository, {target.name}",
            hint="an index can only refer to a manifest beside it: name one of that repository",
        )
    return reference


def _refuse_docker(what: str) -> NoReturn:
    raise UsageError(
        f"a Docker manifest list cannot have a {what}"
        if what == "subject"
        else f"a Docker manifest list cannot have an {what}",
        hint=f"make an OCI index (--format oci), or leave the {what} out",
    )
