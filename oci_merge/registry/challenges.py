"""Tells a challenge that nobody here can answer from a login that was refused. Pure."""

from __future__ import annotations

from oci_merge.auth.challenge import parse_challenges, unanswerable
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.http.message import Response
from oci_merge.http.response_errors import Attempt


def unanswerable_error(
    response: Response, error: RegistryError, attempt: Attempt
) -> AuthenticationError | None:
    """Return the error for a 401 whose challenges cannot be answered; None for any other response.

    Args:
        response: the response.
        error: the error that it would be otherwise.
        attempt: the operation that it answers.
    """
    if response.status != 401:
        return None
    schemes = unanswerable(parse_challenges(response.headers.get_list("www-authenticate")))
    if not schemes:
        return None
    return AuthenticationError(
        f"{attempt.registry} wants a login to {attempt.action} {attempt.subject} by {schemes}, "
        "which oci-merge cannot give; nothing was sent",
        status=error.status,
        method=error.method,
        url=error.url,
        details=error.details,
        hint="let the registry, or the proxy before it, offer Basic or Bearer with a token server",
    )
