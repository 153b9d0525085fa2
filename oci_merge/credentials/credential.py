"""What a registry or its token server is shown, and what a source says that has none. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Literal

from oci_merge._text import printable

CredentialKind = Literal["password", "identity token", "registry token"]


@dataclass(frozen=True, slots=True)
class Credential:
    """Who to be at a registry. Two are equal if they are the same identity, wherever they are from.

    Attributes:
        username: the user's name; tokens may come without one.
        password: the password or access token. Like every secret it is kept out of ``repr``.
        origin: where it was found, in words.
        identity_token: a refresh token, which a token server changes for others.
        registry_token: a token that the registry itself takes as it is.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    origin: str = field(default="the caller", compare=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def kind(self) -> CredentialKind:
        """What is shown first; a password beside a token is what is left if that is refused."""
        if self.registry_token:
            return "registry token"
        return "identity token" if self.identity_token else "password"

    @property
    def has_password(self) -> bool:
        """Whether a user name and a password can be sent."""
        return bool(self.password) or self.kind == "password"

    @property
    def is_text(self) -> bool:
        """Whether it can be sent: arguments and variables may hold bytes that are no text."""
        try:
            f"{self.username}{self.password}".encode()
        except UnicodeEncodeError:
            return False
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        pair = self.basic().partition(" ")[2] if self.has_password else ""
        secrets = (pair, self.password, self.identity_token, self.registry_token)
        return tuple(filter(None, secrets))

    @property
    def user(self) -> str:
        """Who this is, in words that are safe to print."""
        name = printable(self.username)
        if self.kind != "password":
            article = "an" if self.kind == "identity token" else "a"
            name = f"{name} with {article} {self.kind}" if name else f"{article} {self.kind}"
        return f"{name or 'a user without a name'} (from {printable(self.origin)})"

    def basic(self) -> str:
        """Return the value of an ``Authorization`` header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


@dataclass(frozen=True, slots=True)
class Nothing:
    """What a source says that has no credential for an image.

    Attributes:
        reason: why, in words that follow the source's name.
        is_there: whether there is anything at all, only nothing for this image.
    """

    reason: str
    is_there: bool = False


Answer = Credential | Nothing
