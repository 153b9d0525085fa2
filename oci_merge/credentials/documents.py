"""Parses JSON that holds credentials: docker configs, ``auth.json`` and answers of helpers. Pure.

The tools that write and read these files are written in Go, so they are read as Go's encoding/json
does: a key counts in any case, and of two objects of one name both count.

Errors name the document and never quote it, since it holds secrets.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from oci_merge._text import printable
from oci_merge.credentials.credential import Credential
from oci_merge.errors import CredentialError

#: The user name by which a helper marks its secret as an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 - a name
#: White space and byte order marks, in any encoding.
_BLANK = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"
_T = TypeVar("_T")


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, in order and with those whose name comes twice."""


class _Document(BaseModel):
    # The schema is built when it is first used: many runs read no credentials at all. Pydantic must
    # not put its input, which holds secrets, into errors.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _fold(cls, members: object) -> object:
        """Take keys in any case; a later member replaces an earlier one, objects are united."""
        if not isinstance(members, _Pairs):
            return members
        folded: dict[str, object] = {}
        for key, value in members:
            name = key.lower()
            before = folded.get(name)
            if isinstance(before, _Pairs) and isinstance(value, _Pairs):
                folded[name] = _Pairs([*before, *value])
            elif value is not None or before is None:
                folded[name] = value
        return folded


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
    helpers: dict[str, str] | None = Field(None, alias="credhelpers")
    store: str | None = Field(None, alias="credsstore")

    @field_validator("auths", "helpers", mode="before")
    @classmethod
    def _by_key(cls, members: object) -> object:
        return dict(members) if isinstance(members, _Pairs) else members


class _HelperReply(_Document):
    username: str = ""
    secret: str = ""


_AUTH_FILE = TypeAdapter(AuthFile)
_HELPER_REPLY = TypeAdapter(_HelperReply)
#: The settings by which a docker config is known, and the fields by which an entry is.
_SETTINGS = frozenset({"auths", "credhelpers", "credsstore"})
_ENTRY_FIELDS = frozenset({"auth", "username", "password", "identitytoken", "registrytoken"})


def parse_auth_file(content: bytes, *, what: str, hint: str) -> AuthFile:
    """Parse a docker config, an ``auth.json``, or docker's old ``.dockercfg``.

    A ``.dockercfg`` is the object that is ``auths`` elsewhere. Its content tells it, not its name:
    both are mounted under many names.

    Args:
        content: its bytes, in UTF-8, or in UTF-16 as PowerShell writes it.
        what: names it in the error.
        hint: the error's hint.

    Raises:
        CredentialError: it is not JSON, or a field has another type.
    """
    # Docker takes an empty file as one without entries.
    is_blank = not content.strip(_BLANK)
    return _parse(_AUTH_FILE, b"{}" if is_blank else content, what=what, hint=hint)


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
    tokens = entry.identity_token or "", entry.registry_token or ""
    credential = Credential(username, password, origin, *tokens).without_line_break()
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
        return Credential(identity_token=reply.secret, origin=what).without_line_break()
    return Credential(reply.username, reply.secret, what).without_line_break()


def _parse(adapter: TypeAdapter[_T], content: bytes, *, what: str, hint: str) -> _T:
    try:
        return adapter.validate_python(_load(content))
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
    except json.JSONDecodeError as error:
        reason = f"invalid JSON: {error.msg} at line {error.lineno} column {error.colno}"
    except UnicodeDecodeError as error:
        reason = f"invalid JSON: it is not {error.encoding} text"
    except UnicodeEncodeError:
        reason = "invalid JSON: a text in it is not valid Unicode"
    except (RecursionError, ValueError):  # the latter for a number of thousands of digits
        reason = "invalid JSON: it is nested too deeply, or a number in it is too long"
    # Outside the except blocks, so that the error does not carry another that has the input.
    raise CredentialError(f"{what} cannot be read: {printable(reason)}", hint=hint)


def _load(content: bytes) -> object:
    """Parse JSON in the encoding that it is in, with or without a byte order mark."""
    text = content.decode(json.detect_encoding(content))
    members = json.loads(text, object_pairs_hook=_members)
    return _Pairs([("auths", members)]) if _is_dockercfg(members) else members


def _members(pairs: list[tuple[str, Any]]) -> _Pairs:
    """Keep an object's members; half of a surrogate pair, as ``\\ud800``, is an error."""
    for _, value in pairs:
        if isinstance(value, str):
            value.encode()
    return _Pairs(pairs)


def _is_dockercfg(members: object) -> bool:
    """Say whether this is the object that is ``auths`` elsewhere."""
    if not isinstance(members, _Pairs) or any(key.lower() in _SETTINGS for key, _ in members):
        return False
    return any(
        isinstance(value, _Pairs) and any(key.lower() in _ENTRY_FIELDS for key, _ in value)
        for _, value in members
    )


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
