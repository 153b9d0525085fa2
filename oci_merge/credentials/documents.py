"""The JSON that holds credentials: docker's and the containers tools' files, and helpers' replies.

Pure: bytes in, values out. What cannot be read is an error that names where it stood and shows
nothing of it.
"""

from __future__ import annotations

import base64
import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.errors import CredentialError

#: What stands for the user's name where a helper's secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 - a name
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_T = TypeVar("_T")


class _Document(BaseModel):
    # Built when it is first used: many runs read no credentials at all.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class AuthEntry(_Document):
    """An entry of ``auths``; one without a secret marks what a credential helper has.

    Attributes:
        auth: user name and password, joined by a colon, in base64; it overrides the next two.
        username: the user's name.
        password: the password.
        identity_token: a refresh token.
        registry_token: a token for the registry itself.
    """

    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identity_token: str | None = Field(None, alias="identitytoken")
    registry_token: str | None = Field(None, alias="registrytoken")

    @property
    def has_secret(self) -> bool:
        """Whether there is anything to log in with."""
        return bool(self.auth or self.password or self.identity_token or self.registry_token)


class AuthFile(_Document):
    """A docker config, or an ``auth.json`` of the containers tools.

    Attributes:
        auths: entries by server, or by server and namespace.
        helpers: credential helpers by server; an empty name means none.
        store: the credential helper of all other servers.
    """

    auths: dict[str, AuthEntry | None] | None = None
    helpers: dict[str, str] | None = Field(None, alias="credHelpers")
    store: str | None = Field(None, alias="credsStore")


class _HelperReply(_Document):
    username: str = Field("", alias="Username")
    secret: str = Field("", alias="Secret")


_AUTH_FILE = TypeAdapter(AuthFile)
_ENTRIES = TypeAdapter(dict[str, AuthEntry | None], config=ConfigDict(defer_build=True))
_HELPER_REPLY = TypeAdapter(_HelperReply)


def parse_auth_file(content: bytes, *, what: str, hint: str) -> AuthFile:
    """Read a docker config or an ``auth.json``; as for docker, an empty one has no entries.

    Args:
        content: its bytes.
        what: names it in the error.
        hint: what to do about it.

    Raises:
        CredentialError: it cannot be read.
    """
    return _parse(_AUTH_FILE, content.strip() or b"{}", what=what, hint=hint)


def parse_dockercfg(content: bytes, *, what: str, hint: str) -> AuthFile:
    """Read docker's old ``.dockercfg``, which is nothing but entries; as ``parse_auth_file``."""
    return AuthFile(auths=_parse(_ENTRIES, content.strip() or b"{}", what=what, hint=hint))


def decode_entry(entry: AuthEntry, server: str, *, origin: str) -> Credential:
    """Return what an entry that has a secret holds.

    Args:
        entry: the entry.
        server: what it is for, to be named in the error.
        origin: where it stands, in words.

    Raises:
        CredentialError: it is no user name and password, or a token that no header can hold.
    """
    username, password = entry.username or "", entry.password or ""
    if entry.auth:
        username, password = _decode_pair(entry.auth) or ("", "")
    credential = Credential(
        username, password, origin, entry.identity_token or "", entry.registry_token or ""
    )
    is_bad_pair = entry.auth and not username
    is_bad_token = not re.fullmatch(r"[\x21-\x7e]*", credential.registry_token)
    if is_bad_pair or is_bad_token:
        wanted = "registry token" if is_bad_token else "user name and password"
        raise CredentialError(
            f"{origin} holds no {wanted} for {printable(server)}",
            hint=f"run docker login {printable(server)} again, or mend it where it was written",
        )
    return credential


def parse_helper_reply(content: bytes, *, what: str) -> Credential | None:
    """Read what a credential helper prints.

    Args:
        content: its standard output.
        what: names the helper in the error, and is the credential's origin.

    Returns:
        The credential, or None if it is empty.

    Raises:
        CredentialError: it is something else.
    """
    hint = "run it by hand to see what it prints; it does not speak docker's protocol"
    reply = _parse(_HELPER_REPLY, content, what=f"the answer of {what}", hint=hint)
    if not reply.secret:
        return None
    if reply.username == _TOKEN_USER:
        return Credential(identity_token=reply.secret, origin=what)
    return Credential(reply.username, reply.secret, what)


def _parse(adapter: TypeAdapter[_T], content: bytes, *, what: str, hint: str) -> _T:
    try:
        return adapter.validate_json(content.removeprefix(_BYTE_ORDER_MARK))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    raise CredentialError(f"{what} cannot be read: {printable(first['msg'])}", hint=hint)


def _decode_pair(auth: str) -> tuple[str, str] | None:
    """Split a pair at its first colon; as docker, forgive line ends and NULs at the end."""
    encoded = auth.replace("\r", "").replace("\n", "")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return None
    username, colon, password = pair.partition(":")
    return (username, password.rstrip("\0")) if colon else None
