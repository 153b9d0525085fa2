"""Finds the keys that users name: a file, a variable, or a program that knows the key.

The references are cosign's, as far as they need no library of a cloud's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from oci_merge._programs import Stop
from oci_merge._text import printable
from oci_merge.errors import SigningKeyError
from oci_merge.trust.keys import PublicKey, Signer, parse_public_key
from oci_merge.trust.kms import KmsKey, KmsSigner, is_kms_reference
from oci_merge.trust.pem import MAX_SIZE, looks_like_key
from oci_merge.trust.private_keys import parse_private_key

#: cosign's variables.
KEY_VARIABLE = "COSIGN_PRIVATE_KEY"
PASSWORD_VARIABLE = "COSIGN_PASSWORD"  # noqa: S105 - its name

_VARIABLE = "env://"
#: The key to sign with where the user names none.
DEFAULT_KEY = f"{_VARIABLE}{KEY_VARIABLE}"
_EXPECTED = "expected is a file, env://VARIABLE, or NAME://KEY for a program sigstore-kms-NAME"


def load_signer(
    reference: str,
    *,
    environ: Mapping[str, str],
    ask: Callable[[str], str] | None,
    stop: Stop | None = None,
) -> Signer:
    """Find and open the key to sign with; blocks, and may run a program.

    Args:
        reference: a file, ``env://VARIABLE``, or ``NAME://KEY`` for ``sigstore-kms-NAME``.
        environ: the environment.
        ask: asks the user for the password, given a prompt, where ``COSIGN_PASSWORD`` is not set;
            None if there is nobody to ask.
        stop: ends the programs that this key is used by, as ``Signer.end`` does.

    Raises:
        SigningKeyError: there is no such key, it cannot be read, or is not opened by the password.
    """
    if _is_kms(reference):
        return KmsSigner(KmsKey(reference, environ=environ, stop=stop))
    content, name = _read(reference, environ)

    def password() -> bytes:
        return _password(environ, ask, printable(reference))

    return parse_private_key(content, password, name=name)


def load_verifier(
    reference: str, *, environ: Mapping[str, str], stop: Stop | None = None
) -> PublicKey:
    """Find and read the key to verify with; blocks, and may run a program.

    Args:
        reference: a file, ``env://VARIABLE``, or ``NAME://KEY`` for ``sigstore-kms-NAME``.
        environ: the environment.
        stop: ends a program that is asked for its public key.

    Raises:
        SigningKeyError: there is no such key, or it cannot be read.
    """
    if _is_kms(reference):
        return KmsKey(reference, environ=environ, stop=stop).read_public()
    content, name = _read(reference, environ)
    return parse_public_key(content, name=name)


def _is_kms(reference: str) -> bool:
    """Say whether a reference names a program.

    Raises:
        SigningKeyError: it is no reference.
    """
    if not reference.strip():
        raise SigningKeyError("the place of a key is empty", hint=_EXPECTED)
    # Somebody may write "$COSIGN_PRIVATE_KEY" and mean its name: the text is not for messages.
    if looks_like_key(reference) and not _exists(reference):
        raise SigningKeyError(
            "a key itself was given, where the place of a key was expected",
            hint=f"give env://VARIABLE, such as {_VARIABLE}{KEY_VARIABLE}; the key that was given "
            "may have been seen by others in the list of processes",
        )
    if reference.startswith("pkcs11:"):
        raise SigningKeyError(
            "pkcs11: names a key of a hardware token, which is not supported",
            hint="install a program sigstore-kms-NAME that uses the token, and give NAME://KEY",
        )
    return is_kms_reference(reference) and not reference.startswith(_VARIABLE)


def _read(reference: str, environ: Mapping[str, str]) -> tuple[bytes, str]:
    """Return the text of a key, and what to call the key in messages."""
    name = printable(reference)
    if not reference.startswith(_VARIABLE):
        return _read_file(reference, name), name
    variable = reference.removeprefix(_VARIABLE)
    value = environ.get(variable, "")
    if not value.strip():
        state = "empty" if variable in environ else "not set"
        raise SigningKeyError(
            f"{name} names a variable that is {state}",
            hint=f"set {printable(variable)} to the text of the key; a secret that this job may "
            "not see is empty",
        )
    # GitLab keeps a variable of the type "File" in a file, and gives its path. cosign does not read
    # it by env://, and people are told to name the variable's value; but here env:// is also what
    # is read where no key is named, and no key looks like the path of a file.
    path = value.strip()
    if Path(path).is_absolute() and _exists(path):
        name = f"{name}, which is the file {printable(path)},"
        return _read_file(path, name), name
    return _encode(value, f"the variable {printable(variable)}"), name


def _read_file(path: str, name: str) -> bytes:
    """Return the content of a file or pipe, as far as a key can be long."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        # Only the reason: the error of an unencodable path would show it as it is.
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
    raise SigningKeyError(
        f"{name} cannot be read: {reason}", hint=f"check its path and permissions; {_EXPECTED}"
    )


def _exists(path: str) -> bool:
    try:
        Path(path).stat()
    except (OSError, ValueError):
        return False
    return True


def _password(environ: Mapping[str, str], ask: Callable[[str], str] | None, name: str) -> bytes:
    """Return the password of a key: of cosign's variable, also an empty one, or of the user."""
    if PASSWORD_VARIABLE in environ:
        return _encode(environ[PASSWORD_VARIABLE], PASSWORD_VARIABLE)
    if ask is not None:
        return _encode(ask(f"Password for {name}: "), f"the password for {name}")
    raise SigningKeyError(
        f"{name} is encrypted, and there is no password for it",
        hint=f"set {PASSWORD_VARIABLE}; a key without a password needs it, too, as an empty one",
    )


def _encode(text: str, what: str) -> bytes:
    """Return a secret as the bytes that it was before Python decoded it."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        pass
    # Outside of "except": the error above has the text.
    raise SigningKeyError(f"{what} has a character that UTF-8 does not have")
