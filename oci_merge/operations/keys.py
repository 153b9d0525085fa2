"""Loads the keys of a run, before its first request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from oci_merge._concurrency import SingleFlight, gather
from oci_merge._frozen import frozen
from oci_merge._programs import Stop
from oci_merge.planning.signing import SignWish
from oci_merge.trust.key_search import DEFAULT_KEY, load_signer, load_verifier
from oci_merge.trust.keys import PublicKey, Signer
from oci_merge.trust.provenance import job_url

_T = TypeVar("_T")


@frozen(eq=False)
class Trust:
    """The keys of a run.

    Attributes:
        signer: signs what is published; None where nothing is signed.
        keys: the images have to be signed by one of them; empty where they need not be.
        job: the address of the CI job that runs this; empty where none is known.
    """

    signer: Signer | None = None
    keys: tuple[PublicKey, ...] = ()
    job: str = ""


class KeyRing:
    """Loads each key once, and keeps it: to open an encrypted one takes a fraction of a second.

    Args:
        ask: called for the password of an encrypted private key, see ``PasswordKeywords``.
    """

    def __init__(self, ask: Callable[[str], str] | None) -> None:
        self._ask = ask
        self._environ = dict(os.environ)
        self._stop = Stop()
        self._signers: dict[str, Signer] = {}
        self._keys: dict[str, PublicKey] = {}
        self._flights: SingleFlight[str, Any] = SingleFlight()

    async def trust(self, wish: SignWish | None, keys: Sequence[str]) -> Trust:
        """Load the keys that a run asks for.

        Args:
            wish: how to sign, or None.
            keys: where the public keys are by which the images must be signed.

        Raises:
            SigningKeyError: a key cannot be read.
        """
        signer = await self.signer(wish.key) if wish else None
        public = await gather(self.key(each) for each in keys)
        return Trust(signer, tuple(public), job_url(self._environ))

    async def signer(self, reference: str) -> Signer:
        """Load a private key.

        Args:
            reference: where it is; empty for the one in ``COSIGN_PRIVATE_KEY``.

        Raises:
            SigningKeyError: it cannot be read.
        """
        reference = reference or DEFAULT_KEY
        load = partial(
            load_signer, reference, environ=self._environ, ask=self._ask, stop=self._stop
        )
        return await self._kept(self._signers, reference, load)

    async def key(self, reference: str) -> PublicKey:
        """Load a public key.

        Args:
            reference: where it is.

        Raises:
            SigningKeyError: it cannot be read.
        """
        load = partial(load_verifier, reference, environ=self._environ, stop=self._stop)
        return await self._kept(self._keys, reference, load)

    def end(self) -> None:
        """End what programs of keys do at the moment."""
        self._stop.end()

    async def _kept(self, kept: dict[str, _T], reference: str, load: Callable[[], _T]) -> _T:
        if reference not in kept:
            name = f"{id(kept)} {reference}"  # one reference may name a key of each kind
            # In a thread: scrypt computes, programs answer when they like, and people type.
            kept[reference] = await self._flights.run(name, lambda: asyncio.to_thread(load))
        return kept[reference]
