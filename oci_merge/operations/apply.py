"""Carries out the plan of a dry run, if nothing that it was made from has changed since."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oci_merge._concurrency import gather, gather_two
from oci_merge._text import decode, listed, printable
from oci_merge.errors import NotFoundError, PlanChangedError, UsageError
from oci_merge.events import Event, OnEvent, Warned
from oci_merge.model.reference import Reference
from oci_merge.operations.publish import Publisher, publish_all
from oci_merge.operations.target_state import TargetState, check_unreadable, read_target
from oci_merge.planning.plan import Plan, PlannedSource
from oci_merge.planning.plan_file import MOST_BYTES, PlanFile, load_plan, parse_plan
from oci_merge.planning.result import MergeResult, TagResult, TargetResult
from oci_merge.planning.transfers import Transfers
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient

#: How many changes a message names.
_MOST_NAMED = 3


def read_plan(plan: object) -> PlanFile:
    """Read a plan, wherever it is, and check it.

    Args:
        plan: a path, the text of a plan, its JSON values, or the result of a dry run.

    Raises:
        UsageError: it cannot be read, or is no plan.
    """
    if isinstance(plan, MergeResult):
        plan = plan.to_dict()
    if isinstance(plan, Mapping):
        return parse_plan(plan, name="that was given")
    if isinstance(plan, str) and plan.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        if len(plan) > MOST_BYTES:
            raise UsageError(f"the plan has more than {MOST_BYTES} characters")
        return load_plan(plan.lstrip("\ufeff"), name="that was given")
    as_path = getattr(type(plan), "__fspath__", None)
    path = as_path(plan) if as_path else plan
    if not isinstance(path, str) or not path or "\0" in path:
        raise UsageError(
            f"a plan must be a path, its text or its values, got {type(plan).__name__}",
            hint="give the file that a dry run was written to",
        )
    return load_plan(_text_of(path), name=printable(path))


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)  # /dev/zero is endless
    except OSError as error:
        raise UsageError(
            f"the plan {printable(path)} cannot be read: {error.strerror}",
            hint="name the file that a dry run was written to",
        ) from error
    return plan_text(content, printable(path))


def plan_text(content: bytes, name: str) -> str:
    """Return the text of a plan.

    Args:
        content: the bytes of its file.
        name: the file's name, for errors.

    Raises:
        UsageError: there is too much of it, or it is no text.
    """
    if len(content) > MOST_BYTES:
        raise UsageError(f"the plan {name} has more than {MOST_BYTES} bytes")
    try:
        return decode(content)
    except UnicodeDecodeError:
        raise UsageError(f"the plan {name} is not UTF-8 text", hint="save it as UTF-8") from None


class Apply:
    """Carries out one plan.

    Args:
        file: the plan, checked.
        on_event: called with progress events and warnings.
    """

    def __init__(self, file: PlanFile, on_event: OnEvent) -> None:
        self._file = file
        self._on_event = on_event
        self._warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Emit a warning; it is part of the result, too."""
        self._emit(Warned(message))

    async def run(self, registries: Registries) -> MergeResult:
        """Check that nothing has changed, and publish.

        Args:
            registries: the registries of the targets and of the images, by ``host[:port]``.

        Returns:
            What was published.

        Raises:
            PlanChangedError: a tag or an image is not what it was; nothing was written.
            PlanError, PublishError, RegistryError, TransportError: as a merge does.
        """
        for warning in self._file.warnings:
            self.warn(printable(warning, limit=2000))
        plans = self._file.plans
        copies = self._file.first.manner.copy_layers
        publishers = [
            Publisher(registries, plan.target, self._emit, copy_layers=copies) for plan in plans
        ]
        try:
            plans = await self._current(registries)
            await self._check_own(registries, plans)
            await gather(
                publisher.transfer(plan.transfers, plan.expected)
                for publisher, plan in zip(publishers, plans, strict=True)
            )
            if any(plan.transfers.children for plan in plans):
                await self._current(registries)  # somebody may have published meanwhile
            unchanged = await publish_all(publishers, plans)
        finally:
            await gather(publisher.close() for publisher in publishers)
        return self._result(plans, unchanged)

    async def _current(self, registries: Registries) -> tuple[Plan, ...]:
        """Return the plans with what the targets hold now.

        Raises:
            PlanChangedError: a tag or an image is not what it was.
        """
        plans = self._file.plans
        states, standing = await gather_two(
            gather(read_target(registries[p.target.registry], p.target, p.tags) for p in plans),
            gather(_standing(registries, source) for source in self._file.first.sources),
        )
        for plan, state in zip(plans, states, strict=True):
            check_unreadable(registries[plan.target.registry], plan.target, state)
        changed = [
            change
            for plan, state in zip(plans, states, strict=True)
            for change in _moved_tags(plan, state)
        ]
        # A run that has published everything may have deleted the tags of the images.
        if not all(_is_done(plan, state) for plan, state in zip(plans, states, strict=True)):
            changed += _moved_sources(self._file.first.sources, standing)
        if changed:
            raise _changed(changed)
        return tuple(_now(plan, state) for plan, state in zip(plans, states, strict=True))

    async def _check_own(self, registries: Registries, plans: Sequence[Plan]) -> None:
        """Check that what the targets have themselves, and is not brought, is still there.

        Raises:
            PlanChangedError: one is not.
        """
        places = [
            Reference(plan.target.registry, plan.target.repository, digest=digest)
            for plan in plans
            for digest in (*(child.manifest.digest for child in plan.own), *plan.stays)
        ]
        are_missing = await gather(
            ManifestClient(registries[place.registry]).is_missing(place) for place in places
        )
        changed = [
            (str(place), "is not there any more")
            for place in itertools.compress(places, are_missing)
        ]
        if changed:
            raise _changed(changed)

    def _result(self, plans: Sequence[Plan], unchanged: Sequence[frozenset[str]]) -> MergeResult:
        index = plans[0].index
        return MergeResult(
            targets=tuple(
                TargetResult(
                    reference=str(plan.target),
                    tags=tuple(
                        TagResult(tag, tag not in same and tag not in plan.kept, tag in plan.kept)
                        for tag in plan.tags
                    ),
                    plan=plan,
                )
                for plan, same in zip(plans, unchanged, strict=True)
            ),
            digest=index.digest,
            size=index.size,
            media_type=index.media_type,
            platforms=self._file.platforms,
            warnings=tuple(self._warnings),
            dry_run=False,
        )

    def _emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        self._on_event(event)


async def _standing(registries: Registries, source: PlannedSource) -> str:
    """Return the digest that an image's reference points to; empty if it does not exist."""
    client = ManifestClient(registries[source.reference.registry])
    try:
        return await client.head(source.reference, may_be_missing=True)
    except NotFoundError:
        return ""


def _moved_tags(plan: Plan, state: TargetState) -> list[tuple[str, str]]:
    """Return the tags of a target that are neither where they were nor where they shall be."""
    changed = []
    for tag in plan.tags:
        if tag in plan.kept:
            continue  # it is not written
        before, now = plan.standing.get(tag, ""), state.tags.get(tag, "")
        if tag in state.unreadable and not before:
            continue  # as when the plan was made; or a registry that denies what is not there
        if now in (before, plan.index.digest):
            continue
        name = str(plan.target.with_tag(tag))
        said = f"points to {now}" if now else "is not there any more"
        if tag in state.unreadable:
            said = "cannot be read"
        was = f"pointed to {before}" if before else "did not exist"
        if tag in plan.unreadable:
            was = "could not be read"
        changed.append((name, f"{said} and {was} when the plan was made"))
    return changed


def _moved_sources(
    sources: Sequence[PlannedSource], standing: Sequence[str]
) -> list[tuple[str, str]]:
    return [
        (
            str(source.reference),
            f"points to {now} and pointed to {source.digest} when the plan was made"
            if now
            else "is not there any more",
        )
        for source, now in zip(sources, standing, strict=True)
        if now != source.digest
    ]


def _is_done(plan: Plan, state: TargetState) -> bool:
    written = [tag for tag in plan.tags if tag not in plan.kept]
    return all(state.tags.get(tag) == plan.index.digest for tag in written)


def _now(plan: Plan, state: TargetState) -> Plan:
    """Return a plan with what its target holds now: a part of it may have been done."""
    # Both parts may bring one blob, each from where its own images are.
    mounts = {blob.digest: blob for blob in (*plan.expected.mounts, *plan.transfers.mounts)}
    copies = {blob.digest: blob for blob in (*plan.expected.copies, *plan.transfers.copies)}
    whole = Transfers(
        tuple(mounts.values()),
        (*plan.transfers.children, *plan.expected.children),
        tuple(copy for digest, copy in copies.items() if digest not in mounts),
    )
    present = {child.manifest.digest for child in whole.children} & state.children
    return replace(
        plan,
        transfers=whole.only({c.manifest.digest for c in whole.children} - present),
        expected=whole.only(present),
        unchanged=frozenset(tag for tag in plan.tags if state.tags.get(tag) == plan.index.digest),
        standing=state.tags,
    )


def _changed(changed: Sequence[tuple[str, str]]) -> PlanChangedError:
    more = len(changed) - _MOST_NAMED
    said = [f"{name} {what}" for name, what in changed[:_MOST_NAMED]]
    return PlanChangedError(
        "the plan is not applied, since what it was made from has changed: "
        + listed([*said, *([f"{more} more"] if more > 0 else [])]),
        changed=[name for name, _ in changed],
        hint="make a new plan with --dry-run --output json, and look at it again",
    )
