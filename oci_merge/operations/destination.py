"""One target of a merge: what its repository holds, what it lacks, and what is written to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from oci_merge._concurrency import gather
from oci_merge._frozen import frozen
from oci_merge.events import OnEvent
from oci_merge.model.index import IndexDocument
from oci_merge.model.reference import Reference
from oci_merge.operations.publish import Publisher
from oci_merge.operations.target_state import TargetState, check_unreadable, read_target
from oci_merge.planning.component import Component
from oci_merge.planning.job import Target
from oci_merge.planning.plan import Plan
from oci_merge.planning.transfers import Transfers, own_children, plan_transfers
from oci_merge.registry.client import RegistryClient

if TYPE_CHECKING:
    from oci_merge.operations.carry_signatures import CarriedTag
    from oci_merge.operations.referrers import Referrer
    from oci_merge.operations.target_signing import TargetSigning
    from oci_merge.trust.provenance import ProvenanceSource


@frozen(eq=False)
class Completion:
    """What has to stand before a tag moves, beside what the index lists.

    Attributes:
        referrers: what was brought along since it refers to the images.
        carried: the tags of signatures that were brought along.
        sources: what the index is made of, for its provenance.
        warn: called with a sentence for what stays behind.
    """

    referrers: Sequence[Referrer]
    carried: Sequence[CarriedTag]
    sources: Sequence[ProvenanceSource]
    warn: Callable[[str], object]

    @property
    def is_any(self) -> bool:
        """Whether anything was brought along."""
        return bool(self.referrers or self.carried)


class Destination:
    """One target of a merge. Its methods are called in their order here.

    Args:
        registries: the registries of the target and of the images, by ``host[:port]``.
        target: the target.
        emit: called with progress events.
        copy_layers: copy blobs that the registry does not mount.
        force: put tags that point to the index already, too.
        signing: signs what is written to it.

    Attributes:
        target: the target.
        registry: its registry.
        state: what its repository holds; known after ``read``.
        publisher: writes to its repository.
        signing: signs what is written to it; None where nothing is signed.
        kept: the tags that stay where they are, each with the reason.
    """

    def __init__(
        self,
        registries: Mapping[str, RegistryClient],
        target: Target,
        emit: OnEvent,
        *,
        copy_layers: bool,
        force: bool = False,
        signing: TargetSigning | None = None,
    ) -> None:
        self.target = target
        self.state = TargetState()
        self.registry = registries[target.reference.registry]
        self.publisher = Publisher(registries, target.reference, emit, copy_layers=copy_layers)
        self.kept: Mapping[str, str] = {}
        self.signing = signing
        self._copy_layers = copy_layers
        self._force = force
        self._missing_children: frozenset[str] = frozenset()

    def reference(self, tag: str) -> Reference:
        """Return one of its tags with its repository."""
        return self.target.reference.with_tag(tag)

    async def open_ahead(self, count: int) -> None:
        """Open connections for so many requests to its registry."""
        await self.registry.open_ahead(count)

    async def close(self) -> None:
        """End what is still open at its registry when the run is over."""
        await self.publisher.close()
        if self.signing:
            await self.signing.close()

    async def read(self) -> None:
        """Read where the tags point now, and what the target's present index lists.

        Raises:
            RegistryError, TransportError: a tag could not be read, see ``read_target``.
        """
        self.state = await read_target(self.registry, self.target.reference, self.target.tags)

    def check_readable(self) -> str:
        """Return a warning that names the unreadable tags, or an empty string.

        Raises:
            AuthenticationError: the registry did not accept the login, see ``check_unreadable``.
        """
        return check_unreadable(self.registry, self.target.reference, self.state)

    async def note_referrers(self, subjects: Iterable[str]) -> None:
        """Take the referrers that the repository lists already to be there.

        Args:
            subjects: digests of what they refer to.

        Raises:
            RegistryError, TransportError: a list could not be read.
        """
        from oci_merge.registry.referrers import ReferrersClient  # few runs bring referrers

        client = ReferrersClient(self.registry, self.target.reference.repository)
        present = await gather(client.get(subject) for subject in subjects)
        found: frozenset[str] = frozenset().union(*(each.digests for each in present))
        self.state = replace(self.state, children=self.state.children | found)

    async def note_tags(self, carried: Sequence[CarriedTag]) -> None:
        """Take what the repository has under tags of signatures already to be there.

        Args:
            carried: what is brought along.

        Raises:
            RegistryError, TransportError: a tag could not be read.
        """
        from oci_merge.operations.carry_signatures import find_present  # few runs do

        found = await find_present(self.registry, self.target.reference.repository, carried)
        self.state = replace(self.state, children=self.state.children | found)

    async def link(self, referrers: Sequence[Referrer]) -> None:
        """See to it that the repository lists what refers to its manifests.

        Args:
            referrers: what was brought along.

        Raises:
            ManifestError, RegistryError, TransportError: as ``link_referrers`` does.
        """
        from oci_merge.operations.referrers import link_referrers

        await link_referrers(self.registry, self.target.reference.repository, referrers)

    async def list_index(self, plan: Plan) -> None:
        """Put an index that has a subject by its digest, and list it as a referrer of that.

        Args:
            plan: what is written.

        Raises:
            ManifestError, RegistryError, TransportError: as ``put_index_with_subject`` does.
        """
        from oci_merge.operations.referrers import put_index_with_subject

        if plan.to_put:
            repository = self.target.reference.repository
            await put_index_with_subject(self.registry, repository, plan.index)

    async def complete(self, plan: Plan, completion: Completion) -> None:
        """See to it that everything stands that has to before a tag moves.

        Args:
            plan: what is written.
            completion: what was brought along, and what a provenance says.

        Raises:
            SigningError: the registry keeps no signature.
            ManifestError, RegistryError, TransportError: as ``link`` and ``TargetSigning`` do.
        """
        if self.keeps_all:
            return
        if completion.referrers:
            await self.link(completion.referrers)
        if completion.carried:
            from oci_merge.operations.carry_signatures import put_signature_tags  # few runs do

            await put_signature_tags(
                self.registry,
                self.target.reference.repository,
                completion.carried,
                completion.warn,
                may_leave=self._copy_layers,
            )
        if self.signing:
            is_there = plan.index.digest in plan.standing.values()
            put_index = None if is_there else partial(self.publisher.put_index, plan)
            await self.signing.complete(plan.index, put_index, completion.sources)
        if plan.index.subject:  # once it is signed, since it is found from its subject then
            await self.list_index(plan)

    async def transfer(self, components: Sequence[Component], *, dry_run: bool) -> None:
        """Transfer what the repository lacks; in a dry run, look for missing children alone.

        Args:
            components: the components of the index.
            dry_run: write nothing.

        Raises:
            MountRefusedError, DigestMismatchError, RegistryError, TransportError: as
                ``Publisher.transfer`` does.
        """
        if self.keeps_all:
            return
        # What the target's present index lists is taken to be there, blobs included, so that
        # an unchanged rerun ends after the reads. It is checked beside the next step.
        transfers, expected = self._transfers(components, self.state.children)
        self._missing_children |= await (
            self.publisher.find_missing_children(expected)
            if dry_run
            else self.publisher.transfer(transfers, expected)
        )

    def plan(self, components: Sequence[Component], index: IndexDocument) -> Plan:
        """Return what is written to the target, missing children among what is transferred."""
        transfers, expected = (
            (Transfers(), Transfers())
            if self.keeps_all
            else self._transfers(components, self.state.children - self._missing_children)
        )
        tags = self.target.tags
        return Plan(
            target=self.target.reference,
            index=index,
            transfers=transfers,
            tags=tags,
            unchanged=frozenset(tag for tag in tags if self.state.tags.get(tag) == index.digest),
            expected=expected,
            kept=self.kept,
            force=self._force,
            own=own_children(components, self.target.reference),
            standing=self.state.tags,
            unreadable=frozenset(self.state.unreadable),
        )

    @property
    def keeps_all(self) -> bool:
        """Whether no tag of it moves, so that nothing is written to it."""
        return len(self.kept) == len(self.target.tags)

    def _transfers(
        self, components: Sequence[Component], present: AbstractSet[str]
    ) -> tuple[Transfers, Transfers]:
        """Return the missing transfers, and those that are taken to be unnecessary.

        Args:
            components: the components of the index.
            present: digests of the children that the target's present index lists.
        """
        target = self.target.reference
        plan = partial(plan_transfers, components, target.repository, registry=target.registry)
        missing = plan(present)
        return missing, plan({child.manifest.digest for child in missing.children})
