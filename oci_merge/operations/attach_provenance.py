"""Attaches the provenance of a merge to its index."""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge.errors import AuthenticationError, ManifestError, RegistryError, SigningError
from oci_merge.http.retry import may_pass
from oci_merge.model.index import IndexDocument
from oci_merge.operations.stored_signatures import BundleSignature, Repository
from oci_merge.trust.bundle import statement
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import Signer
from oci_merge.trust.provenance import PREDICATE_TYPE, ProvenanceSource, provenance


class ProvenanceAttacher:
    """Attaches a statement to the index of one target. Its methods are called in their order here.

    Args:
        repository: the target's repository.
        signer: the key; None for a statement that nobody signs.
        job: the address of the CI job that runs this; empty where none is known.
    """

    def __init__(self, repository: Repository, signer: Signer | None, job: str) -> None:
        self._at = repository
        self._signer = signer
        self._job = job
        self._statement: BundleSignature | None = None

    async def prepare(
        self, index: IndexDocument, sources: Sequence[ProvenanceSource]
    ) -> BundleSignature:
        """Make the statement and upload it, unless the index has one.

        Args:
            index: the index.
            sources: what the index is made of.

        Returns:
            The statement, which nobody finds before ``store``.

        Raises:
            SigningError: the registry does not keep it.
            RegistryError, TransportError: the registry failed for now, or did not answer.
        """
        name = self._at.name
        signed = Signed(index.media_type, index.digest, index.size)
        predicate = provenance(name, sources, self._job)
        payload = statement(signed, PREDICATE_TYPE, predicate, name)
        self._statement = BundleSignature(self._at, signed, self._signer, payload, PREDICATE_TYPE)
        try:
            await self._statement.prepare(is_new=False)
            await self._statement.put_unseen()
        except (RegistryError, ManifestError, SigningError) as error:
            raise self._refused(error) from error
        return self._statement

    async def store(self) -> None:
        """Store the statement where clients look for it, once the signatures stand.

        Raises:
            SigningError: the registry does not keep it.
            RegistryError, TransportError: the registry failed for now, or did not answer.
        """
        assert self._statement
        try:
            # Not by what was read before: the signatures of the index are in the list since.
            await self._statement.put(is_list_read=False)
        except (RegistryError, ManifestError, SigningError) as error:
            raise self._refused(error) from error

    def _refused(self, error: RegistryError | ManifestError | SigningError) -> Exception:
        if isinstance(error, AuthenticationError) or may_pass(error):
            return error  # it may be kept the next time
        return SigningError(
            f"{self._at.name} does not keep a provenance: {error.message}",
            hint="leave out --provenance, or publish to a registry that keeps referrers",
        )
