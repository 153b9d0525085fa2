"""A credential, and the answer of a source that has none. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import field, replace
from typing import Literal

from oci_merge._frozen import frozen
from oci_merge._text import listed, printable

CredentialKind = Literal["password", "identity token", "registry token"]

_LINE_BREAK = re.compile(r"(?:\r\n|\r|\n)\Z")


@frozen
class Credential:
    """A user's credential for a registry. No secret in it is part of its ``repr``.

    Two credentials are equal if they have the same names and secrets, whatever their origin: the
    repositories of one user then share tokens.

    Attributes:
        username: the user name; empty for tokens that come without one.
        password: the password or access token.
        origin: the source that it was found in, for messages.
        identity_token: a refresh token, which the token server exchanges for access tokens.
        registry_token: a bearer token that is sent to the registry as it is.
        is_ambient: whether a CI system gave it to all of its jobs. Nobody chose it for this image,
            so where it is refused, images may be read without it.
        warning: what the user should know of it; safe to print, or empty.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    origin: str = field(default="the caller", compare=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    is_ambient: bool = field(default=False, compare=False)
    warning: str = field(default="", compare=False)

    @property
    def kind(self) -> CredentialKind:
        """The secret that is sent first. A password is tried after a token that was refused."""
        if self.registry_token:
            return "registry token"
        return "identity token" if self.identity_token else "password"

    @property
    def has_password(self) -> bool:
        """Whether it can be sent as user name and password."""
        return bool(self.password) or self.kind == "password"

    @property
    def is_text(self) -> bool:
        """Whether user name and password are valid Unicode, so that they can be sent."""
        # Arguments and variables may hold any bytes; Python shows invalid ones as surrogates.
        try:
            f"{self.username}{self.password}".encode()
        except UnicodeEncodeError:
            return False
        return True

    @property
    def secrets(self) -> tuple[str, ...]:
        """All secrets, to be masked in output in case a server repeats them."""
        # The base64 pair, too: servers have been seen to quote the header.
        pair = self.basic().partition(" ")[2] if self.has_password else ""
        secrets = (pair, self.password, self.identity_token, self.registry_token)
        return tuple(filter(None, secrets))

    @property
    def user(self) -> str:
        """The user and the origin for messages; safe to print."""
        name = printable(self.username)
        if self.kind != "password":
            article = "an" if self.kind == "identity token" else "a"
            name = f"{name} with {article} {self.kind}" if name else f"{article} {self.kind}"
        return f"{name or 'a user without a name'} (from {printable(self.origin)})"

    def without_line_break(self) -> Credential:
        """Return it without a line break at the end of a name or a secret, and with a warning.

        ``echo`` and editors add one, and no registry takes it. Other white space may be meant.
        """
        values = {
            "user name": self.username,
            "password": self.password,
            "identity token": self.identity_token,
            "registry token": self.registry_token,
        }
        kept = {part: _LINE_BREAK.sub("", value) for part, value in values.items()}
        changed = [part for part, value in kept.items() if value != values[part]]
        if not changed:
            return self
        username, password, identity_token, registry_token = kept.values()
        clean = replace(
            self,
            username=username,
            password=password,
            identity_token=identity_token,
            registry_token=registry_token,
        )
        ends = "ends" if len(changed) == 1 else "end"
        return replace(
            clean,
            warning=f"the {listed(changed)} of {clean.user} {ends} in a line break, which is not "
            "sent: printf writes none, echo does",
        )

    def basic(self) -> str:
        """Return the value of an ``Authorization`` header for HTTP Basic (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


@frozen
class Nothing:
    """The answer of a source that has no credential for a repository.

    Attributes:
        reason: the reason, worded to follow the source's name and a colon.
        is_there: whether the source exists, but has nothing for this repository.
        near: what it has that may have been meant for the repository, worded to follow the source's
            name; empty if there is nothing like that.
        is_entry: whether that is an entry for the repository, without a secret here.
    """

    reason: str
    is_there: bool = False
    near: str = ""
    is_entry: bool = False


Answer = Credential | Nothing
