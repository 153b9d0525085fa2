"""Deletes the tags of the images that were joined, and never a manifest.

OCI distribution spec, "Deleting tags". What the index lists is looked at after each deletion, and
put back where a registry has deleted it with its tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oci_merge._concurrency import gather
from oci_merge._text import listed
from oci_merge.errors import (
    NotFoundError,
    OciMergeError,
    RegistryError,
    TransportError,
    VerificationError,
)
from oci_merge.events import OnEvent, TagDeleted, Warned
from oci_merge.http.deadline import Deadline
from oci_merge.model.reference import Reference
from oci_merge.operations.verify import Absent, in_short, until_there
from oci_merge.planning.plan import Plan
from oci_merge.planning.result import MergeResult
from oci_merge.planning.transfers import Child
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient
from oci_merge.registry.verified_put import put_manifest

#: How registries say that they delete no tag: distribution 2 and Pulp by 400, Harbor by 405, and
#: those without the endpoint by 404.
_DELETES_NO_TAG = frozenset({400, 404, 405, 501})
#: How long a deleted tag may still be shown, in seconds.
_PATIENCE = 10.0


async def delete_sources(
    registries: Registries, result: MergeResult, deadline: Deadline, emit: OnEvent
) -> tuple[str, ...]:
    """Delete the tags of the images of a merge that was published and verified.

    Args:
        registries: the registries of the targets and of the images, by ``host[:port]``.
        result: what was published.
        deadline: when the run has to be over.
        emit: called with events, and a warning for each tag that stays.

    Returns:
        The tags that are deleted, as references.

    Raises:
        VerificationError: a registry has deleted a manifest with its tag, which the target lists;
            it was put back, if that was possible.
    """
    deleter = _Deleter(registries, result, deadline, emit)
    return await deleter.run()


class _Deleter:
    def __init__(
        self, registries: Registries, result: MergeResult, deadline: Deadline, emit: OnEvent
    ) -> None:
        self._registries = registries
        self._result = result
        self._plans = [target.plan for target in result.targets]
        self._deadline = deadline
        self._emit = emit
        self._deleted: list[str] = []
        #: The tags that stay, by what their registry said.
        self._stay: dict[str, list[str]] = {}
        #: Registries that delete no tag.
        self._refusing: dict[str, str] = {}

    async def run(self) -> tuple[str, ...]:
        sources = self._result.plan.sources
        untagged = [str(one.reference) for one in sources if one.reference.digest]
        if untagged:
            were = "was" if len(untagged) == 1 else "were"
            self._emit(
                Warned(f"{in_short(untagged)} {were} joined by digest, so no tag is deleted")
            )
        # One after the other: the first one shows whether the registry keeps the manifest.
        for source in sources:
            if source.reference.tag and not source.reference.digest:
                await self._delete(source.reference, source.digest)
        for reason, tags in self._stay.items():
            self._emit(
                Warned(f"{in_short(tags)} {'stays' if len(tags) == 1 else 'stay'}: {reason}")
            )
        return tuple(self._deleted)

    async def _delete(self, tag: Reference, digest: str) -> None:
        if any(tag.name == plan.target.name and tag.tag in plan.tags for plan in self._plans):
            return  # it is on the index now
        if reason := self._refusing.get(tag.registry):
            self._keep(tag, reason)
            return
        client = ManifestClient(self._registries[tag.registry])
        try:
            standing = await client.head(tag, may_be_missing=True)
        except NotFoundError:
            return
        except OciMergeError as error:
            self._keep(tag, error.message)
            return
        if standing != digest:
            self._keep(tag, f"it points to {standing} since, which was not joined")
            return
        try:
            await client.delete_tag(tag)
        except (RegistryError, TransportError) as error:
            await self._refused(tag, client, error)
            return
        await self._deleted_tag(tag, client, digest)

    async def _refused(
        self, tag: Reference, client: ManifestClient, error: RegistryError | TransportError
    ) -> None:
        """Say why a tag stays, unless only the answer to its deletion got lost."""
        if await client.is_missing(tag):
            self._note(tag)
            await self._check_children(tag)
            return
        if isinstance(error, RegistryError) and (
            error.status in _DELETES_NO_TAG or "UNSUPPORTED" in error.codes
        ):
            reason = (
                f"{tag.registry} deletes no tag without its manifest (it answered {error.status})"
            )
            self._refusing[tag.registry] = reason
            self._keep(tag, reason)
            return
        hint = f" ({error.hint})" if error.hint else ""
        self._keep(tag, f"{error.message}{hint}")

    async def _deleted_tag(self, tag: Reference, client: ManifestClient, digest: str) -> None:
        await self._check_children(tag)

        async def look() -> list[Absent]:
            try:
                standing = await client.head(tag, may_be_missing=True)
            except NotFoundError:
                return []
            return [Absent(str(tag))] if standing == digest else []

        timings = replace(self._registries[tag.registry].timings, verify=_PATIENCE)
        try:
            remaining = await until_there([look], timings, self._deadline)
        except OciMergeError as error:
            self._keep(tag, f"{tag.registry} was asked to delete it, but then: {error.message}")
            return
        if remaining:
            self._keep(tag, f"{tag.registry} has accepted the deletion, but still shows it")
            return
        await self._check_children(tag)
        self._note(tag)

    def _note(self, tag: Reference) -> None:
        self._deleted.append(str(tag))
        self._emit(TagDeleted(str(tag)))

    def _keep(self, tag: Reference, reason: str) -> None:
        self._stay.setdefault(reason, []).append(str(tag))

    async def _check_children(self, tag: Reference) -> None:
        """Put back what a target lists and a registry has deleted with a tag.

        Raises:
            VerificationError: there was such a manifest.
        """
        for plan in self._plans:
            if plan.target.name != tag.name:
                continue  # another repository has manifests of its own
            client = ManifestClient(self._registries[tag.registry])
            children = list(plan.manifests.values())
            are_missing = await gather(client.is_missing(_at(plan, child)) for child in children)
            lost = [child for child, gone in zip(children, are_missing, strict=True) if gone]
            if lost:
                raise await self._put_back(tag, plan, lost)

    async def _put_back(
        self, tag: Reference, plan: Plan, lost: Sequence[Child]
    ) -> VerificationError:
        names = [str(_at(plan, child)) for child in lost]
        said = (
            f"{tag.registry} has deleted {listed(names)} with the tag {tag.tag}, "
            f"which {plan.target} lists"
        )
        try:
            for child in lost:
                await self._put(_at(plan, child), child)
        except OciMergeError as error:
            return VerificationError(
                f"{said}, and it could not be put back: {error.message}",
                digest=self._result.digest,
                missing=names,
                hint="push the images again and join them anew, without --delete-sources",
            )
        return VerificationError(
            f"{said}; it was put back, and no other tag is deleted",
            digest=self._result.digest,
            hint="the image is complete; leave --delete-sources out at this registry",
        )

    async def _put(self, at: Reference, child: Child) -> None:
        manifest = child.manifest
        await put_manifest(self._registries[at.registry], at, manifest.media_type, manifest.content)


def _at(plan: Plan, child: Child) -> Reference:
    return Reference(plan.target.registry, plan.target.repository, digest=child.manifest.digest)
