"""The value of an ``Authorization`` header and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import field

from oci_merge._frozen import frozen
from oci_merge.auth.challenge import DEFAULT_LIFE, Scope
from oci_merge.auth.credential_check import CredentialCheck
from oci_merge.http.message import Response

#: A token is not used in its last seconds, since it might end on the way.
_MARGIN = 10.0


def _no_check() -> CredentialCheck[Response]:
    return CredentialCheck(is_accepted=True)


@frozen(eq=False)
class Authorization:
    """The value of an ``Authorization`` header and what is known of it.

    Attributes:
        value: the header's value; it is kept out of ``repr``.
        scopes: the scopes that a token was asked for with; empty for Basic, and for a token that
            the credential itself holds.
        obtained: when the token came, on the monotonic clock.
        life: how long the token says it lasts, in seconds.
        check: whether the registry has accepted the value. A token needs no check, as its token
            server has accepted the password.
    """

    value: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset()
    obtained: float = 0.0
    life: float = float("inf")
    check: CredentialCheck[Response] = field(default_factory=_no_check, repr=False)

    def covers(self, scopes: Sequence[Scope]) -> bool:
        """Say whether the token was asked for with all of these scopes."""
        have = {scope.resource: set(scope.actions) for scope in self.scopes}
        return all(set(scope.actions) <= have.get(scope.resource, set()) for scope in scopes)

    @property
    def has_ended(self) -> bool:
        """Whether the token's own life is over."""
        return time.monotonic() >= self.obtained + self.life

    @property
    def is_spent(self) -> bool:
        """Whether the token is not worth sending. Lives under a minute are not believed."""
        # Some servers state a life of a second or none; a run would ask them for ever.
        return time.monotonic() > self.obtained + max(self.life, DEFAULT_LIFE) - _MARGIN
