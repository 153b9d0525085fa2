"""The library's verbs, asynchronous, each with a client of its own. ``sync`` has them blocking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ForwardRef, Unpack

from oci_merge._keywords import check_names, divided, documented
from oci_merge.client import AsyncClient
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.inspect import Inspection
from oci_merge.options import (
    AnnotateCall,
    ApplyCall,
    BatchCall,
    ClientCall,
    InspectCall,
    MergeCall,
    PathLike,
    PushCall,
    RemoveCall,
    SignCall,
    VerifyCall,
)
from oci_merge.planning.result import MergeResult, Verification
from oci_merge.planning.signing import SignResult
from oci_merge.planning.spec import Spec

if TYPE_CHECKING:
    from oci_merge.planning.batch import BatchImage
    from oci_merge.planning.batch_result import BatchResult
else:  # signatures name them; a batch alone loads them
    BatchImage, BatchResult = ForwardRef("BatchImage"), ForwardRef("BatchResult")


@asynccontextmanager
async def _opened(
    verb: str, kind: type, keywords: Mapping[str, Any]
) -> AsyncIterator[tuple[AsyncClient, Any]]:
    """Open a client for one call of a verb, and give it with the keywords of its own method."""
    check_names(verb, kind, keywords)
    client, call = divided(ClientCall, keywords)
    async with AsyncClient(**client) as opened:
        yield opened, call


@documented(MergeCall)
async def merge_async(
    target: str | Reference | None = None, **keywords: Unpack[MergeCall]
) -> MergeResult:
    """Join images into one multi-architecture image in their registry.

    No layer is downloaded unless ``copy_layers`` is set. Tags move last, when everything else is
    in place, so a failure before that leaves them as they were; a rerun continues from there.

    Args:
        target: the tag to publish, for example ``reg.example/app:latest``; it may also be among
            ``targets``.
        **keywords: those of ``options.MergeCall``.

    Returns:
        The index's digest and size, its platforms, and which tags moved.

    Raises:
        UsageError: an argument is wrong; no request was sent.
        SigningKeyError: a key cannot be read; no request was sent.
        SignatureError: an image is not signed by one of ``verify_keys``; nothing was written.
        PlanError: the images cannot be joined.
        ManifestError: a manifest in the registry cannot be used.
        SigningError: the registry keeps no signature. No tag was moved, unless the message says so.
        PublishError: some tags moved and some did not.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    async with _opened("merge", MergeCall, keywords) as (client, call):
        return await client.merge(target, **call)


@documented(PushCall)
async def push_async(spec: Spec, **keywords: Unpack[PushCall]) -> MergeResult:
    """Join the images of a spec as manifest-tool does, byte for byte.

    Unlike ``merge``, this takes the kind of index from ``list_type`` alone, and publishes
    platforms as they are written rather than in their normal form.

    Args:
        spec: the target and its images, from ``parse_spec`` or ``spec_from_template``.
        **keywords: those of ``options.PushCall``.

    Returns:
        The same as ``merge``.

    Raises:
        OciMergeError: as ``merge`` does.
    """
    async with _opened("push", PushCall, keywords) as (client, call):
        return await client.push(spec, **call)


@documented(MergeCall)
async def append_async(
    target: str | Reference | None = None, **keywords: Unpack[MergeCall]
) -> MergeResult:
    """Join images with those that the target's present index lists: ``merge`` with ``append``.

    Images of the platforms that are joined are replaced, with their attestations; everything else
    that the target lists stays, and so do its annotations. If there is no such tag, this is a
    plain merge.

    Args:
        target: as for ``merge``.
        **keywords: those of ``options.MergeCall``.

    Returns:
        The same as ``merge``.

    Raises:
        TagChangedError: others moved the tag each time that this was tried.
        OciMergeError: as ``merge`` does.
    """
    async with _opened("append", MergeCall, keywords) as (client, call):
        return await client.append(target, **call)


@documented(RemoveCall)
async def remove_async(reference: str | Reference, **keywords: Unpack[RemoveCall]) -> MergeResult:
    """Take images out of an index, with their attestations.

    The manifests stay in the registry. A tag that another writer moves meanwhile is read again, and
    the change is made anew.

    Args:
        reference: the index's tag, for example ``reg.example/app:1.0``.
        **keywords: those of ``options.RemoveCall``.

    Returns:
        What stands under the tag: as for ``merge``.

    Raises:
        UsageError: an argument is wrong; no request was sent.
        PlatformNotFoundError: the index lists no image of a platform.
        PlanError: no image would be left.
        ManifestError: the tag stands on no index, or on one that lists what is not there.
        TagChangedError: others moved the tag each time that this was tried.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    async with _opened("remove", RemoveCall, keywords) as (client, call):
        return await client.remove(reference, **call)


@documented(AnnotateCall)
async def annotate_async(
    reference: str | Reference, **keywords: Unpack[AnnotateCall]
) -> MergeResult:
    """Set and remove annotations of an index and of its entries.

    Args:
        reference: the index's tag, for example ``reg.example/app:1.0``.
        **keywords: those of ``options.AnnotateCall``.

    Returns:
        What stands under the tag: as for ``merge``.

    Raises:
        PlanError: it is a Docker manifest list, which has no annotations.
        OciMergeError: as ``remove`` does.
    """
    async with _opened("annotate", AnnotateCall, keywords) as (client, call):
        return await client.annotate(reference, **call)


@documented(BatchCall)
async def batch_async(
    images: Iterable[BatchImage | Mapping[str, Any]], **keywords: Unpack[BatchCall]
) -> BatchResult:
    """Merge many images through one client; see ``Client.batch``.

    Args:
        images: what ``parse_batch`` returns, or the keywords of ``merge`` for each image.
        **keywords: those of ``options.BatchCall``.

    Returns:
        What became of each image, in order: its digest and tags, or its error.

    Raises:
        UsageError: an argument or an image is wrong, or two images get in each other's way; no
            request was sent.
    """
    async with _opened("batch", BatchCall, keywords) as (client, call):
        return await client.batch(images, **call)


@documented(InspectCall)
async def inspect_async(reference: str | Reference, **keywords: Unpack[InspectCall]) -> Inspection:
    """Look at an image or an index in its registry, without downloading layers.

    Args:
        reference: with a tag or a digest, for example ``reg.example/app:latest``.
        **keywords: those of ``options.InspectCall``.

    Returns:
        Its digest, exact bytes, and images with their platforms and layers.

    Raises:
        UsageError: the reference is not one, or has neither tag nor digest.
        ManifestError: the reference does not name an image or an index.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    async with _opened("inspect", InspectCall, keywords) as (client, call):
        return await client.inspect(reference, **call)


@documented(VerifyCall)
async def verify_async(
    reference: str | Reference,
    *,
    digest: str | None = None,
    platforms: Iterable[str | Platform] = (),
    **keywords: Unpack[VerifyCall],
) -> Verification:
    """Read an image with all that it lists, until its registry shows it.

    The tag, every manifest and the presence of every blob are read by new connections. What is
    not there yet is looked for again, for about a minute or until the deadline. The platform of
    each image has to be the one that it is listed as.

    Args:
        reference: with a tag, a digest or both, for example ``reg.example/app:latest``.
        digest: the digest that the tag has to stand at; by default any.
        platforms: the platforms that it must have images for.
        **keywords: those of ``options.VerifyCall``.

    Returns:
        The digest, and what it lists.

    Raises:
        UsageError: an argument is wrong; no request was sent.
        SigningKeyError: a key cannot be read; no request was sent.
        SignatureError: it is not signed by one of the keys.
        VerificationError: something is not there, or an image is for another platform.
        ManifestError: a manifest in the registry cannot be used.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    async with _opened("verify", VerifyCall, keywords) as (client, call):
        return await client.verify(reference, digest=digest, platforms=platforms, **call)


@documented(SignCall)
async def sign_async(reference: str | Reference, **keywords: Unpack[SignCall]) -> SignResult:
    """Sign an image or an index that is in its registry, with all that it lists.

    What the reference points to is looked up once, and signed by its digest. A signature by the
    same key that is there already is not written again, and those of others stay.

    Args:
        reference: with a tag, a digest or both, for example ``reg.example/app:latest``.
        **keywords: those of ``options.SignCall``.

    Returns:
        For each digest and format, where the signature stands, and whether it was written.

    Raises:
        UsageError: an argument is wrong; no request was sent.
        SigningKeyError: the key cannot be read; no request was sent.
        SigningError: the registry keeps no signature.
        ManifestError: a manifest in the registry cannot be used.
        CredentialError: credentials are configured but cannot be read.
        RegistryError: the registry refused.
        TransportError: the registry did not answer.
    """
    async with _opened("sign", SignCall, keywords) as (client, call):
        return await client.sign(reference, **call)


@documented(ApplyCall)
async def apply_async(
    plan: str | PathLike | Mapping[str, Any] | MergeResult, **keywords: Unpack[ApplyCall]
) -> MergeResult:
    """Publish what a dry run has planned, if nothing has changed since.

    Exactly the planned bytes are published. Where a tag of a target, or one of the images to join,
    is not what it was when the plan was made, nothing is written. A rerun continues where a run
    was broken off.

    Args:
        plan: the file that the JSON of a dry run was written to, its text, its values, or the
            result of a dry run.
        **keywords: those of ``options.ApplyCall``.

    Returns:
        The same as ``merge``.

    Raises:
        UsageError: it is no plan, or does not hold what its digests name; no request was sent.
        PlanChangedError: a tag or an image is not what it was; nothing was written.
        OciMergeError: as ``merge`` does.
    """
    async with _opened("apply", ApplyCall, keywords) as (client, call):
        return await client.apply(plan, **call)
