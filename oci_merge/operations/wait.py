"""Waits for images that are not in their registry yet.

OCI distribution spec, "Checking if content exists".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from oci_merge._concurrency import gather_settled
from oci_merge._text import listed
from oci_merge.errors import MissingComponentError, NotFoundError, OciMergeError
from oci_merge.events import OnEvent, Waiting
from oci_merge.model.reference import Reference
from oci_merge.registry.client import Registries
from oci_merge.registry.manifests import ManifestClient

#: How much longer each wait is than the one before.
_GROWTH = 1.5


async def wait_for_images(
    registries: Registries, missing: Sequence[Reference], seconds: float, emit: OnEvent
) -> None:
    """Look for images again and again, until all of them are there.

    Args:
        registries: the registries of the images, by ``host[:port]``.
        missing: the images that were not there just now.
        seconds: how long to wait for them, from now.
        emit: called with an event before each wait.

    Raises:
        MissingComponentError: some are not there when the time is over.
        RegistryError, TransportError: an image could not be looked for, or may not be read.
    """
    client = registries[missing[0].registry]
    clock = asyncio.get_running_loop().time
    began = clock()
    pause = client.timings.polling
    while missing:
        names = tuple(str(reference) for reference in missing)
        waited = clock() - began
        if waited >= seconds:
            raise _time_is_over(names, seconds)
        emit(Waiting(names, waited, seconds - waited))
        # The deadline of the run ends the wait, too.
        async with client.deadline.kept(lambda: listed(names)):  # noqa: B023 - used in this turn
            await client.timings.sleep(min(pause, seconds - waited))
        pause = min(pause * _GROWTH, client.timings.slowest_polling)
        missing = await _still_missing(registries, missing)


async def _still_missing(
    registries: Registries, missing: Sequence[Reference]
) -> Sequence[Reference]:
    # By HEAD: registries with pull limits do not count it, and the answer has no body. The user's
    # rate, retries and Retry-After hold for it as for every request.
    outcomes = await gather_settled(
        ManifestClient(registries[reference.registry]).head(reference, may_be_missing=True)
        for reference in missing
    )
    for outcome in outcomes:
        if isinstance(outcome, OciMergeError) and not isinstance(outcome, NotFoundError):
            raise outcome
    return [
        reference
        for reference, outcome in zip(missing, outcomes, strict=True)
        if isinstance(outcome, NotFoundError)
    ]


def _time_is_over(missing: Sequence[str], seconds: float) -> MissingComponentError:
    are = "is" if len(missing) == 1 else "are"
    return MissingComponentError(
        f"{listed(list(missing))} {are} still not there after {seconds:g} seconds",
        missing=missing,
        hint="look whether the jobs that build them have failed, or wait longer with --wait",
    )
