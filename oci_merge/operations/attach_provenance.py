"""Attaches the provenance of a merge to its index."""

from __future__ import annotations

from collections.abc import Sequence

from oci_merge.errors import AuthenticationError, ManifestError, RegistryError, SigningError
from oci_merge.http.retry import is_busy
from oci_merge.model.index import IndexDocument
from oci_merge.model.reference import Reference
from oci_merge.operations.signatures import SignatureReader
from oci_merge.operations.stored_signatures import BundleSignature, Repository
from oci_merge.operations.uploads import Uploads
from oci_merge.registry.blobs import BlobClient
from oci_merge.registry.client import RegistryClient
from oci_merge.trust.bundle import statement
from oci_merge.trust.formats import Signed
from oci_merge.trust.keys import Signer
from oci_merge.trust.provenance import PREDICATE_TYPE, ProvenanceSource, provenance


class ProvenanceAttacher:
    """Attaches a statement to the index of one target. Its methods are called in their order here.

    Args:
        registry: the target's registry.
        target: the target.
        signer: the key; None for a statement that nobody signs.
        job: the address of the CI job that runs this; empty where none is known.
        may_leave: whether uploads may go to another host, if the registry says so.
    """

    def __init__(
        self,
        registry: RegistryClient,
        target: Reference,
        signer: Signer | None,
        job: str,
        *,
        may_leave: bool,
    ) -> None:
        blobs = BlobClient(registry, target.repository, may_leave=may_leave)
        self._uploads = Uploads(blobs, registry.timings)
        self._at = Repository(SignatureReader(registry, target.repository), self._uploads)
        self._target = target
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
        name = self._target.name
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

    async def close(self) -> None:
        """End the uploads that are open."""
        await self._uploads.close()

    def _refused(self, error: RegistryError | ManifestError | SigningError) -> Exception:
        if isinstance(error, AuthenticationError):
            return error
        if isinstance(error, RegistryError) and is_busy(error.status):
            return error  # it may be kept the next time
        return SigningError(
            f"{self._target.name} does not keep a provenance: {error.message}",
            hint="leave out --provenance, or publish to a registry that keeps referrers",
        )
