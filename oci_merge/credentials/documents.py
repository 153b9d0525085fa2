"""Parses JSON that holds credentials: docker configs, ``auth.json`` and answers of helpers. Pure.

Errors name the document and never quote it, since it holds secrets.
"""

from __future__ import annotations

import base64
import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.errors import CredentialError

#: The user name by which a helper marks its secret as an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 - a name
#: Windows editors write it; JSON does not allow it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_T = TypeVar("_T")


class _Document(BaseModel):
    # The schema is built when it is first used: many runs read no credentials at all. Pydantic must
    # not put its input, which holds secrets, into errors.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class AuthEntry(_Document):
    """An entry of ``auths``. One without a secret says that a credential helper has it.

    Attributes:
        auth: ``user:password`` in base64; it overrides ``username`` and ``password``.
        username: the user's name.
        password: the password.
        identity_token: a refresh token.
        registry_token: a bearer token for the registry itself.
    """

    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identity_token: str | None = Field(None, alias="identitytoken")
    registry_token: str | None = Field(None, alias="registrytoken")

    @property
    def has_secret(self) -> bool:
        """Whether the entry has anything to log in with."""
        return bool(self.auth or self.password or self.identity_token or self.registry_token)


class AuthFile(_Document):
    """A docker config, or an ``auth.json`` of the containers tools.

    Attributes:
        auths: entries by server, or by server and namespace (``keys`` reads these keys).
        helpers: names of credential helpers by server; an empty name means none.
        store: the name of the credential helper for all other servers.
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
    """Parse a docker config or an ``auth.json``.

    Args:
        content: its bytes.
        what: names it in the error.
        hint: the error's hint.

    Raises:
        CredentialError: it is not JSON, or a field has another type.
    """
    # Docker takes an empty file as one without entries.
    return _parse(_AUTH_FILE, content.strip() or b"{}", what=what, hint=hint)


def parse_dockercfg(content: bytes, *, what: str, hint: str) -> AuthFile:
    """Parse docker's old ``.dockercfg``, which holds only ``auths``; as ``parse_auth_file``."""
    return AuthFile(auths=_parse(_ENTRIES, content.strip() or b"{}", what=what, hint=hint))


def decode_entry(entry: AuthEntry, server: str, *, origin: str) -> Credential:
    """Return the credential of an entry that has a secret.

    Args:
        entry: the entry.
        server: the registry or repository that it is for, for the error.
        origin: names the file or variable that it is in.

    Raises:
        CredentialError: ``auth`` does not decode to ``user:password``, or ``registrytoken`` has
            characters that no header may have.
    """
    username, password = entry.username or "", entry.password or ""
    if entry.auth:
        username, password = _decode_pair(entry.auth) or ("", "")
    credential = Credential(
        username, password, origin, entry.identity_token or "", entry.registry_token or ""
    )
    is_bad_pair = entry.auth and not username
    # Spaces and line ends in a header would add headers to the request.
    is_bad_token = not re.fullmatch(r"[\x21-\x7e]*", credential.registry_token)
    if is_bad_pair or is_bad_token:
        wanted = "registry token" if is_bad_token else "user name and password"
        raise CredentialError(
            f"{origin} has no valid {wanted} for {printable(server)}",
            hint=f"run docker login {printable(server)} again, or correct the entry",
        )
    return credential


def parse_helper_reply(content: bytes, *, what: str) -> Credential | None:
    """Parse the output of a credential helper (docker-credential-helpers, ``get``).

    Args:
        content: its standard output.
        what: names the helper; it is the credential's origin, too.

    Returns:
        The credential, or None if the helper gave an empty secret.

    Raises:
        CredentialError: the output is not the JSON of that protocol.
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
    # Outside the except block, so that the error does not carry pydantic's, which has the input.
    raise CredentialError(f"{what} cannot be read: {printable(first['msg'])}", hint=hint)


def _decode_pair(auth: str) -> tuple[str, str] | None:
    """Decode ``user:password``; None if it is not base64, not UTF-8 or has no colon.

    As docker does, this ignores line ends within it and NULs at its end.
    """
    encoded = auth.replace("\r", "").replace("\n", "")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return None
    username, colon, password = pair.partition(":")
    return (username, password.rstrip("\0")) if colon else None
