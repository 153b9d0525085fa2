"""What refers to the images of a merge: it is brought along, or a warning says that it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oci_merge._concurrency import beside, gather
from oci_merge.events import OnEvent, Warned
from oci_merge.operations.destination import Destination
from oci_merge.planning.component import Component
from oci_merge.planning.job import Job
from oci_merge.registry.client import Registries

if TYPE_CHECKING:
    from oci_merge.operations.carry_signatures import CarriedTag
    from oci_merge.operations.referrers import Referrer


class Attached:
    """What refers to the images of a merge: signatures, SBOMs and the like.

    Args:
        job: the job.
        registries: the registries of the targets and of the images, by ``host[:port]``.
        destinations: the targets.
        emit: called with progress events and warnings.

    Attributes:
        referrers: what refers to the images and is brought along; known after ``read``.
        tags: the tags of their signatures that are brought along, likewise.
    """

    def __init__(
        self,
        job: Job,
        registries: Registries,
        destinations: Sequence[Destination],
        emit: OnEvent,
    ) -> None:
        self.referrers: Sequence[Referrer] = ()
        self.tags: Sequence[CarriedTag] = ()
        self._job = job
        self._registries = registries
        self._destinations = destinations
        self._emit = emit

    @property
    def is_wanted(self) -> bool:
        """Whether the job brings along what refers to the images."""
        return self._job.referrers or self._job.carry_signatures

    @property
    def components(self) -> tuple[Component, ...]:
        """Everything that is brought along."""
        return (
            *(referrer.component for referrer in self.referrers),
            *(carried.component for carried in self.tags),
        )

    async def read(self, components: Sequence[Component]) -> None:
        """Read what refers to the components, if it is wanted, and what the targets have of it."""
        if self.is_wanted:
            await self._read_referrers(components)
        if self._job.carry_signatures:
            await self._read_tags(components)

    @asynccontextmanager
    async def telling_what_stays(self, components: Sequence[Component]) -> AsyncIterator[None]:
        """Find out during the block whether referrers of the images stay behind, and warn of it."""
        images = [component for component in components if self._is_moved(component)]
        if not images or self.is_wanted or self._job.as_written:
            yield
            return
        from oci_merge.operations.referrers import left_behind  # an unchanged rerun does without

        published = {component.digest for component in components}
        patience = self._registries[self._job.target.registry].timings.aside
        finding = left_behind(self._registries, images, published)
        async with beside(finding, self._warn_if, patience=patience):
            yield

    async def _read_referrers(self, components: Sequence[Component]) -> None:
        from oci_merge.operations.referrers import read_referrers  # few runs bring referrers

        self.referrers = await read_referrers(self._registries, components, self._emit)
        subjects = dict.fromkeys(referrer.subject for referrer in self.referrers)
        await gather(one.note_referrers(subjects) for one in self._destinations)

    async def _read_tags(self, components: Sequence[Component]) -> None:
        from oci_merge.operations.carry_signatures import read_signature_tags  # few runs do

        self.tags = await read_signature_tags(self._registries, components, self._emit)
        await gather(one.note_tags(self.tags) for one in self._destinations)

    def _is_moved(self, component: Component) -> bool:
        """Say whether an image is brought into a repository that does not have it."""
        name = component.source.reference.name
        return component.is_image and any(
            one.target.reference.name != name and component.digest not in one.state.children
            for one in self._destinations
        )

    def _warn_if(self, message: str) -> None:
        if message:
            self._emit(Warned(message))
