"""Turns an error response into an exception that says what happened and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from oci_merge._frozen import frozen
from oci_merge._text import printable
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    ErrorDetail,
    NotFoundError,
    RateLimitedError,
    RegistryError,
    ServerError,
)
from oci_merge.http.masking import masked
from oci_merge.http.message import Response
from oci_merge.http.retry import is_pull_limit, pull_limit_window
from oci_merge.model.host import ECR

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_DETAILS = 20
#: The user of a request without credentials.
ANONYMOUS = "an anonymous user"
_ENDED = re.compile(
    r"(token|credentials?|password|login|session)\b.{0,20}\b(has |is |have )?expired"
    r"|expired\b.{0,20}\b(token|credential|password|login|session)",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"quota|exceed the configured upper limit|no space left|insufficient storage", re.IGNORECASE
)


@frozen
class Attempt:
    """The operation that a response answers, in words for the user.

    Attributes:
        action: a verb, for example ``read``.
        subject: what the action is done to, for example ``reg.example/app:1.0``.
        registry: the registry's name.
        method: the request's method.
        user: the user, for example ``ci (from the docker config …)``.
        server: the server that answered, if it is not the registry itself.
        secrets: secrets that are replaced in messages, should the response repeat them.
    """

    action: str
    subject: str
    registry: str
    method: str
    user: str
    server: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)


def error_from(response: Response, attempt: Attempt, *, had_token: bool = False) -> RegistryError:
    """Return the exception for a response with an unexpected status.

    Args:
        response: the response.
        attempt: the operation that it answers.
        had_token: whether the request carried a token; then a 401 is a denial.
    """
    details = parse_details(response.content, attempt.secrets)
    kind, sentence, hint = _describe(response, attempt, details, had_token)
    reason = reason_of(details)
    parts = urlsplit(response.url)
    return kind(
        f"{sentence}: {reason}" if reason else sentence,
        status=response.status,
        method=attempt.method,
        url=printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"),
        details=details,
        user=attempt.user,
        hint=hint,
    )


def parse_details(content: bytes, secrets: Sequence[str] = ()) -> tuple[ErrorDetail, ...]:
    """Read an error document (OCI distribution spec, "Error Codes"), and forms close to it.

    Args:
        content: the body, perhaps cut; it may also be HTML or empty.
        secrets: secrets that are replaced by asterisks in messages.

    Returns:
        The entries, with control characters escaped; none if the body cannot be read.
    """
    try:
        return _details(json.loads(content), secrets)
    except (ValueError, RecursionError):
        return ()


def _details(document: Any, secrets: Sequence[str]) -> tuple[ErrorDetail, ...]:
    if not isinstance(document, dict):
        return ()
    entries = document.get("errors")
    if not isinstance(entries, list):
        entries = [document]
    found = (_detail(entry, secrets) for entry in entries[:_MAX_DETAILS] if isinstance(entry, dict))
    return tuple(detail for detail in found if detail.code or detail.message)


def _detail(entry: dict[str, Any], secrets: Sequence[str]) -> ErrorDetail:
    code, message = entry.get("code", ""), entry.get("message") or entry.get("details") or ""
    detail = entry.get("detail")
    digest = _DIGEST.search(json.dumps(detail))
    if isinstance(message, str) and isinstance(detail, str) and not digest:
        message = ": ".join(dict.fromkeys(text for text in (message, detail) if text))
    return ErrorDetail(
        code=_shown(code, secrets),
        message=_shown(message, secrets),
        digest=digest[0] if digest else "",
    )


def _shown(text: Any, secrets: Sequence[str]) -> str:
    """Return a registry's text without secrets and control characters."""
    if not isinstance(text, str):
        return ""
    return printable(masked(text, secrets))


def reason_of(details: Sequence[ErrorDetail]) -> str:
    """Return what a registry said in its error document, or an empty string."""
    return "; ".join(_reason(detail) for detail in details[:3])


def _reason(detail: ErrorDetail) -> str:
    words = [detail.message, detail.digest if detail.digest not in detail.message else ""]
    text = " ".join(word for word in words if word)
    if detail.code and text:
        return f"{text} ({detail.code})"
    return text or detail.code


def _doing(what: str) -> str:
    """Return the participle of an action, as ``reading X`` of ``read X``."""
    verb, _, rest = what.partition(" ")
    return f"{'getting' if verb == 'get' else f'{verb}ing'} {rest}"


def _describe(
    response: Response, attempt: Attempt, details: Sequence[ErrorDetail], had_token: bool
) -> tuple[type[RegistryError], str, str]:
    """Choose the class, the sentence without the registry's reason, and the hint."""
    what, status = f"{attempt.action} {attempt.subject}", response.status
    server = attempt.server or attempt.registry
    if response.cross_origin:
        host = printable(urlsplit(response.url).netloc)
        return (
            ServerError if status >= 500 else RegistryError,
            f"{server} redirected to {host} to {what}, which answered {status}",
            "the registry's storage refuses what the registry points at; try again",
        )
    if response.url.startswith("http:") and response.wants_tls:
        return (
            RegistryError,
            f"{server} wants TLS, and was asked to {what} over plain HTTP",
            "leave out --plain-http, or --source-plain-http where it is a source's registry",
        )
    if special := _refusal(attempt, server, what, status, details):
        return special
    if status == 401 and not had_token:
        return (
            AuthenticationError,
            f"{server} wants a login to {what} and refused {attempt.user}",
            _login_hint(attempt),
        )
    if status in (401, 403):
        need = "pull" if attempt.action == "read" else "pull and push"
        return (
            AccessDeniedError,
            f"{server} does not allow {attempt.user} to {what}",
            f"use credentials that may {need} there; "
            "some registries say the same of what does not exist",
        )
    if is_pull_limit(status, response.headers, response.content):
        return (
            RateLimitedError,
            f"pull rate limit reached at {server} for {attempt.user} while {_doing(what)}",
            f"log in with docker login {attempt.registry}: a login has a higher limit than an "
            "anonymous run; or wait until the rate-limit window of "
            f"{pull_limit_window(response.headers)} ends",
        )
    if status == 429:
        return (
            RateLimitedError,
            f"{server} has had too many requests to {what} now",
            "wait and run it again; a login has a higher limit than an anonymous run",
        )
    if status >= 500:
        whose = "its" if attempt.server else "the registry's"
        return (
            ServerError,
            f"{server} failed to {what}, with status {status}",
            f"{whose} storage is full, and its operator has to free some: then run it again"
            if status == 507  # RFC 4918, section 11.5
            else f"the fault is on {whose} side: run it again, a rerun goes on where this ended",
        )
    if status == 404 or any(detail.code == "NAME_UNKNOWN" for detail in details):
        return (
            NotFoundError,
            f"{attempt.subject} was not found on {server}",
            "its answer is a web page: check the registry's name, and whether it is a registry"
            if response.is_web_page
            else "check the name and the tag; "
            "some registries say the same of what the credentials may not see",
        )
    hint = "a proxy before it limits the size of requests" if status == 413 else ""
    return RegistryError, f"{server} refused to {what}, with status {status}", hint


def _refusal(
    attempt: Attempt, server: str, what: str, status: int, details: Sequence[ErrorDetail]
) -> tuple[type[RegistryError], str, str] | None:
    """Say what a refusal is about where its words tell it and its status does not."""
    said = " ".join(detail.message for detail in details)
    if status in (400, 401, 403) and _ENDED.search(said):
        return (
            AuthenticationError,
            f"the login of {attempt.user} at {server} has ended",
            _new_login_hint(attempt.registry),
        )
    if 400 <= status < 500 and status != 429 and _FULL.search(said):
        kind = AccessDeniedError if status in (401, 403) else RegistryError
        return (
            kind,
            f"{server} has no room to {what}",
            "delete what is no longer needed there, or have the quota raised",
        )
    return None


def _login_hint(attempt: Attempt) -> str:
    if attempt.user != ANONYMOUS:
        return (
            "the password or token is wrong or has ended: log in with docker login "
            f"{attempt.registry}; oci-merge credentials {attempt.registry} shows where it is from"
        )
    return (
        f"log in with docker login {attempt.registry}, or set OCI_MERGE_USERNAME and "
        "OCI_MERGE_PASSWORD"
    )


def _new_login_hint(registry: str) -> str:
    if match := ECR.fullmatch(registry):
        return (
            f"an ECR login lasts 12 hours: aws ecr get-login-password --region {match['region']} | "
            f"docker login -u AWS --password-stdin {registry}"
        )
    return f"log in again with docker login {registry}, or set the new token"
