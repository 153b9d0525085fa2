"""Signs manifests of one repository: reads what is there, uploads, stores, and looks again.

The steps stand apart, so that a merge can take each of them while it does something else. Nothing
is signed before it is there, and no tag moves before its index is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from oci_merge._concurrency import gather
from oci_merge._text import listed
from oci_merge.errors import (
    AccessDeniedError,
    AuthenticationError,
    ManifestError,
    OciMergeError,
    RegistryError,
    SigningError,
    TransportError,
)
from oci_merge.events import ManifestsSigned
from oci_merge.http.retry import may_pass
from oci_merge.operations.stored_signatures import (
    BundleSignature,
    ClassicSignature,
    Repository,
    StoredSignature,
)
from oci_merge.planning.signing import Format, Outcome, SignatureResult
from oci_merge.trust import bundle
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import Signer

#: How many blobs of its own a signature takes in each format.
_BLOBS: dict[Format, int] = {"bundle": 1, "classic": 2}
#: What each format is called, and what does without the other one.
_NAMES: dict[Format, str] = {"bundle": "bundles", "classic": ".sig tags"}
_BLIND: dict[Format, str] = {
    "bundle": "cosign 3 sees a .sig tag only where the image has no bundle at all",
    "classic": "podman, skopeo and CRI-O see no signature",
}


class RepositorySigner:
    """Signs manifests of one repository. Its methods are called in their order here.

    Args:
        repository: the repository.
        signer: the key.
        formats: the formats to store.
        warn: called with a sentence for each format that the registry does not keep.
    """

    def __init__(
        self,
        repository: Repository,
        signer: Signer,
        formats: Sequence[Format],
        warn: Callable[[str], object],
    ) -> None:
        self._at = repository
        self._signer = signer
        self._formats = formats
        self._warn = warn
        self._signatures: dict[tuple[str, Format], StoredSignature] = {}
        self._refusals: dict[tuple[str, Format], OciMergeError] = {}
        self._told: set[Format] = set()
        self._is_unseen_told = False

    def open_ahead(self, count: int) -> None:
        """Open the uploads of so many manifests, before it is known what is signed."""
        empty = 1 if "bundle" in self._formats else 0  # the config of all bundles
        self._at.uploads.open_ahead(empty + count * sum(_BLOBS[each] for each in self._formats))

    async def prepare(self, manifests: Iterable[Signed], *, is_new: bool = False) -> None:
        """Read the signatures that manifests have, and make and upload those that they lack.

        Args:
            manifests: what to sign; what has been prepared before is left out.
            is_new: whether they are most likely not signed yet.

        Raises:
            SigningError: one cannot be signed, by its digest or by the key.
            RegistryError, TransportError: the registry failed for now, or did not answer.
        """
        fresh = [
            self._made(signed, name)
            for signed in {each.digest: each for each in manifests}.values()
            for name in self._formats
            if (signed.digest, name) not in self._signatures
        ]
        await gather(self._tried(each, partial(each.prepare, is_new=is_new)) for each in fresh)
        self._check({each.signed.digest for each in fresh})

    async def put_unseen(self) -> None:
        """Put what nobody finds before ``store``.

        Raises:
            SigningError: nothing of a manifest's signatures can be stored.
            RegistryError, TransportError: as ``prepare`` does.
        """
        await self._each(lambda one: one.put_unseen)

    def list_with(self, statement: BundleSignature) -> None:
        """List another statement together with the signature of what it is about.

        Args:
            statement: the statement, which is there but not listed.
        """
        key: tuple[str, Format] = (statement.signed.digest, "bundle")
        one = self._signatures.get(key)
        if isinstance(one, BundleSignature) and key not in self._refusals:
            one.list_with(statement)

    async def store(self) -> None:
        """Store the signatures where verifiers look for them.

        Raises:
            SigningError: no signature of a manifest can be stored.
            RegistryError, TransportError: as ``prepare`` does.
        """
        await self._each(lambda one: one.put)
        self._tell()

    async def confirm(self, *, must_see: bool = False) -> None:
        """Look whether other writers have taken signatures away, and bring them back.

        Args:
            must_see: whether only the look shows that they are there; otherwise the registry has
                said that it stored them, and a look that fails is a warning.

        Raises:
            SigningError: another writer, or the registry, does not let them stay.
            RegistryError, TransportError: as ``prepare`` does, if ``must_see``.
        """
        if must_see:
            await self._each(lambda one: one.confirm)
        else:
            await self._each(lambda one: partial(self._looked_at, one))
        self._tell()

    async def _looked_at(self, one: StoredSignature) -> None:
        try:
            await one.confirm()
        except (RegistryError, TransportError) as error:
            if isinstance(error, RegistryError) and error.method not in ("GET", "HEAD"):
                raise
            if not self._is_unseen_told:
                self._is_unseen_told = True
                self._warn(
                    f"{self._at.name}: signatures were stored, but could not be looked at again: "
                    f"{error.message}"
                )

    @property
    def needs_confirmation(self) -> bool:
        """Whether only a look shows if a manifest has any signature at all.

        It is so where a list of referrers is all that the registry was given to keep.
        """
        kept = {key: one for key, one in self._signatures.items() if key not in self._refusals}
        others = {digest for digest, name in kept if name != "bundle"}
        return any(
            digest not in others and isinstance(one, BundleSignature) and one.is_listed_by_tag
            for (digest, _), one in kept.items()
        )

    def summary(self) -> ManifestsSigned:
        """Return how much was signed, as an event."""
        written = [
            one
            for key, one in self._signatures.items()
            if key not in self._refusals and not one.is_present
        ]
        count = len({digest for digest, _ in self._signatures})
        return ManifestsSigned(count, len(written), self._at.name, self._signer.public.key_id)

    def results(self, digests: Sequence[str]) -> tuple[SignatureResult, ...]:
        """Return what became of the signatures of manifests, in their order.

        Args:
            digests: the manifests.
        """
        return tuple(
            SignatureResult(
                digest,
                name,
                one.reference,
                self._signer.public.key_id,
                self._outcome(one),
            )
            for digest in dict.fromkeys(digests)
            for name in self._formats
            if (one := self._signatures.get((digest, name)))
        )

    def _made(self, signed: Signed, name: Format) -> StoredSignature:
        if not signed.digest.startswith("sha256:"):
            raise SigningError(
                f"{signed.digest} cannot be signed: signatures name sha256 digests alone",
                hint="push the image again by a sha256 digest, or sign with --sign-index-only",
            )
        one: StoredSignature
        if name == "bundle":
            statement = bundle.signature_statement(signed)
            one = BundleSignature(self._at, signed, self._signer, statement)
        else:
            one = ClassicSignature(self._at, signed, self._signer)
        self._signatures[signed.digest, name] = one
        return one

    async def _each(
        self, step: Callable[[StoredSignature], Callable[[], Coroutine[Any, Any, None]]]
    ) -> None:
        waiting = [one for key, one in self._signatures.items() if key not in self._refusals]
        await gather(self._tried(one, step(one)) for one in waiting)
        self._check({one.signed.digest for one in waiting})

    async def _tried(
        self, one: StoredSignature, step: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Take a step with a signature, and note it where the registry does not keep such."""
        try:
            await step()
        except (RegistryError, ManifestError, SigningError) as error:
            if isinstance(error, AuthenticationError) or may_pass(error):
                raise  # it may be kept the next time
            self._refusals[one.signed.digest, one.format] = error

    def _check(self, digests: Iterable[str]) -> None:
        """Check that each manifest has, or will have, a signature in some format.

        Raises:
            AccessDeniedError: the login may not store one.
            SigningError: one will not, for another reason.
        """
        for digest in digests:
            refusals = [self._refusals.get((digest, name)) for name in self._formats]
            reasons = [error for error in refusals if error]
            if len(reasons) == len(self._formats):
                if all(isinstance(error, AccessDeniedError) for error in reasons):
                    raise reasons[0]  # the login is why, and not what the registry keeps
                said = dict.fromkeys(error.message for error in reasons)
                raise SigningError(
                    f"{self._at.name} keeps no signature of {digest}: {listed([*said])}",
                    hint="leave out --sign, or publish to a registry that keeps signatures",
                ) from reasons[0]

    def _tell(self) -> None:
        """Warn of each format that the registry does not keep, once."""
        for name in self._formats:
            refused = [error for key, error in self._refusals.items() if key[1] == name]
            if refused and name not in self._told:
                self._told.add(name)
                count = sum(key[1] == name for key in self._signatures)
                part = "" if len(refused) == count else f"{len(refused)} of {count} "
                self._warn(
                    f"{self._at.name} does not keep {part}signatures as {_NAMES[name]}: "
                    f"{refused[0].message}; {_BLIND[name]}"
                )

    def _outcome(self, one: StoredSignature) -> Outcome:
        if (one.signed.digest, one.format) in self._refusals:
            return "unsupported"
        return "present" if one.is_present else "written"
