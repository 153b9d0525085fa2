"""Signs by a program that knows a key elsewhere, in a KMS or an HSM: ``sigstore-kms-NAME``.

After sigstore's protocol of CLI plugins, version 1 (sigstore/sigstore,
``pkg/signature/kms/cliplugin``): the version and a JSON document are the program's arguments, the
data is its stdin, and it prints JSON. Secrets are no part of either; the program finds its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from oci_merge._programs import Program, Stop, find_program
from oci_merge._text import printable
from oci_merge.errors import SigningKeyError
from oci_merge.trust.keys import PublicKey, parse_public_key
from oci_merge.trust.pem import decode_base64

_VERSION = "v1"
#: SHA-256 in the numbers of Go's package ``crypto``.
_SHA256 = 5
#: Seconds.
_TIME_LIMIT = 30.0
#: Bytes of JSON. What is longer has been read whole: the user has installed the program.
_MAX_ANSWER = 64 * 1024
_MAX_REASON = 300
#: A name that cannot lead to a program in another folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

# Written as cosign writes them, since programs are tried with cosign.
_RPC_OPTIONS = {"keyVersion": "", "remoteVerification": False}
_PUBLIC_KEY = {"publicKeyOptions": {"rpcOptions": _RPC_OPTIONS}}
_SIGN_MESSAGE = {"signOptions": {"rpcOptions": _RPC_OPTIONS, "messageOptions": {"digest": None}}}


def is_kms_reference(reference: str) -> bool:
    """Say whether a reference names a program: whether it is ``NAME://…``."""
    name, separator, _ = reference.partition("://")
    return bool(separator) and _NAME.fullmatch(name) is not None


class KmsKey:
    """A key that a program knows.

    Args:
        reference: ``NAME://WHAT``: the program's name without ``sigstore-kms-``, and the key in
            the program's own words.
        environ: the environment: its ``PATH`` is searched, and the program runs with it.
        stop: ends the program.
        time_limit: how long each call may take, in seconds.

    Raises:
        SigningKeyError: there is no such program.
    """

    def __init__(
        self,
        reference: str,
        *,
        environ: Mapping[str, str],
        stop: Stop | None = None,
        time_limit: float = _TIME_LIMIT,
    ) -> None:
        name, _, self._resource = reference.partition("://")
        self.name = printable(reference)
        self._program_name = f"sigstore-kms-{name}"
        path = find_program(self._program_name, environ.get("PATH", ""))
        if path is None:
            raise SigningKeyError(
                f"{self.name} is a key of the program {self._program_name}, "
                "which is not on the PATH",
                hint=_missing_hint(name),
            )
        self._stop = stop or Stop()
        self._program = Program(
            path=path,
            name=f"{self._program_name}, which {self.name} names,",
            environ=environ,
            time_limit=time_limit,
            error=SigningKeyError,
        )

    def read_public(self) -> PublicKey:
        """Ask for the public key.

        Raises:
            SigningKeyError: the program failed, or gave no key that is supported.
        """
        answer = self._call("publicKey", _PUBLIC_KEY, b"")
        pem = _bytes_in(answer, "publicKey", "publicKeyPEM")
        if not pem:
            raise self._without("a public key")
        return parse_public_key(pem, name=self.name)

    def sign(self, data: bytes) -> bytes:
        """Have some data signed.

        Args:
            data: what to sign, whole.

        Raises:
            SigningKeyError: the program failed, or gave no signature.
        """
        signature = _bytes_in(
            self._call("signMessage", _SIGN_MESSAGE, data), "signMessage", "signature"
        )
        if not signature:
            raise self._without("a signature")
        return signature

    def end(self) -> None:
        """End the programs that run, and let none begin."""
        self._stop.end()

    def _call(self, method: str, options: Mapping[str, Any], data: bytes) -> dict[str, Any]:
        """Run the program; return what it answers."""
        asked = {
            "initOptions": {
                "protocolVersion": _VERSION,
                "keyResourceID": self._resource,
                "hashFunc": _SHA256,
                "rpcOptions": _RPC_OPTIONS,
            },
            "methodName": method,
            method: options,
        }
        arguments = [_VERSION, json.dumps(asked, separators=(",", ":"))]
        status, stdout, stderr = self._program.run(
            arguments, data, stop=self._stop, about=f"the method {method}"
        )
        answer = _parse(stdout)
        if answer is None:
            reason = _last_line(stderr)
            raise SigningKeyError(
                f"{self._program.name} did not print the JSON of the protocol for the method "
                f"{method}, and ended with status {status}: {reason or 'no reason'}",
                hint=f"see whether cosign can use it: cosign public-key --key {self.name}",
            )
        # The protocol ignores the status of a program that has answered.
        if message := answer.get("errorMessage"):
            raise SigningKeyError(
                f"{self._program.name} failed in the method {method}: "
                f"{printable(str(message), limit=_MAX_REASON)}",
                hint="the program has to be logged in to its KMS, and to be allowed to use the key",
            )
        return answer

    def _without(self, what: str) -> SigningKeyError:
        return SigningKeyError(
            f"{self._program.name} answered without {what}",
            hint=f"see whether cosign can use it: cosign public-key --key {self.name}",
        )


class KmsSigner:
    """Signs by a program that knows the key.

    Args:
        key: the key. Its program is asked for the public key at once.

    Attributes:
        public: the key that verifies what is signed.

    Raises:
        SigningKeyError: the program failed, or its key is of a kind that is not supported.
    """

    def __init__(self, key: KmsKey) -> None:
        self._key = key
        self.public = key.read_public()

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some data; runs the program.

        Args:
            data: what to sign, whole.

        Raises:
            SigningKeyError: the program failed, took too long or was ended, or what it returned is
                no signature by this key with SHA-256.
        """
        signature = self._key.sign(data)
        # A key may be replaced by another one meanwhile, and a KMS may hash as its key says.
        if not self.public.verify_sha256(signature, data):
            how = (
                "is made with another hash than SHA-256"
                if self.public.verify(signature, data)
                else f"does not verify with its public key ({self.public.kind})"
            )
            raise SigningKeyError(
                f"the signature by {self._key.name} {how}, so that others would refuse it",
                hint="let the KMS sign with SHA-256, and RSA with PKCS #1 v1.5",
            )
        return signature

    def end(self) -> None:
        """End the program if it runs, from another thread, and sign no more."""
        self._key.end()

    def __repr__(self) -> str:
        """Return a text that shows the key and its id, and nothing of the environment."""
        return f"KmsSigner({self._key.name!r}, key_id={self.public.key_id!r})"


def _missing_hint(name: str) -> str:
    """Return what to do where a program is missing, by the name that it would have."""
    if name in ("http", "https"):
        return "download the key, and give the file"
    if name == "file":
        return "give the path alone"
    if name in ("k8s", "gitlab"):
        return "put the key into a variable of the job, and give env://VARIABLE"
    return "install that program, or give the file of a key, or env://VARIABLE"


def _parse(stdout: bytes) -> dict[str, Any] | None:
    """Return the object that a program has printed, or None."""
    if len(stdout) > _MAX_ANSWER:
        return None
    try:
        answer = json.loads(stdout)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _bytes_in(answer: dict[str, Any], method: str, key: str) -> bytes:
    """Return the bytes of an answer, which stand in it as base64; none if they are not there."""
    value = answer.get(method)
    return decode_base64(value.get(key)) if isinstance(value, dict) else b""


def _last_line(stderr: bytes) -> str:
    """Return the last line that a program has written to stderr, where errors come last."""
    lines = stderr[-16 * 1024 :].decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return printable(last, limit=_MAX_REASON)
