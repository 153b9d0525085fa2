"""A client for many merges and inspections, asynchronous. ``sync`` has it blocking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ForwardRef, TypeVar, Unpack, cast

from oci_merge import _keywords as take
from oci_merge._keywords import check_names, checked, divided, documented
from oci_merge.credentials import given_credential
from oci_merge.events import OnEvent, ignore
from oci_merge.http.deadline import Deadline
from oci_merge.http.timings import Timings
from oci_merge.model.platform import Platform
from oci_merge.model.reference import Reference
from oci_merge.operations.inspect import Inspection, check_inspected, inspect_reference
from oci_merge.operations.merge import Merge
from oci_merge.operations.under_way import Operations
from oci_merge.options import (
    AnnotateKeywords,
    ApplyKeywords,
    BatchKeywords,
    ClientCall,
    ClientKeywords,
    EditKeywords,
    InspectKeywords,
    MergeKeywords,
    OwnKeywords,
    PathLike,
    PushKeywords,
    Readable,
    RegistryOptions,
    RemoveKeywords,
    SignOwnKeywords,
    VerifyKeywords,
)
from oci_merge.planning.job import Job
from oci_merge.planning.request import merge_job, spec_job
from oci_merge.planning.result import MergeResult, Verification
from oci_merge.planning.signing import SignResult
from oci_merge.planning.spec import Spec
from oci_merge.registry.client import RegistryClient
from oci_merge.registry.hosts import Hosts, for_sources

if TYPE_CHECKING:
    from oci_merge.operations.edit import Change
    from oci_merge.operations.keys import KeyRing
    from oci_merge.planning.batch import BatchImage, BatchJob
    from oci_merge.planning.batch_result import BatchResult
    from oci_merge.planning.builder_output import BuiltImage
else:  # signatures name them; a batch alone loads them
    BatchImage, BatchResult = ForwardRef("BatchImage"), ForwardRef("BatchResult")

_T = TypeVar("_T")


@documented(ClientCall)
class AsyncClient:
    """Merges and inspects many images through one set of connections.

    Until it is closed, the client keeps each registry's connections, protocol and login. Merges may
    be awaited side by side; each has its own events, deadline and outcome. A client belongs to one
    event loop. It looks for a registry's credential once, so it should not outlive its credentials.

        async with oci_merge.AsyncClient() as client:
            results = await asyncio.gather(*(client.merge(**image) for image in images))

    Args:
        **keywords: those of ``options.ClientCall``.

    Raises:
        UsageError: an argument is of a wrong type or out of range, or half of a login is missing.
        RuntimeError: raised by its methods if the client is closed before they end.
    """

    #: What errors call this class.
    _name = "AsyncClient"
    #: How long to wait for what; tests set others.
    _timings = Timings()

    def __init__(self, **keywords: Unpack[ClientCall]) -> None:
        check_names(self._name, ClientCall, keywords)
        registry, others = divided(ClientKeywords, keywords)
        own = checked(OwnKeywords, others)
        self._options = RegistryOptions(**registry)
        source_options = own["source_registry"] or for_sources(self._options)
        for options in (self._options, source_options):
            given_credential(options.username, options.password)
        self._hosts = Hosts(self._options, source_options, self._timings)
        self._concurrency: int = own["concurrency"]
        self._operations = Operations(self._concurrency)
        self._key_password: Callable[[str], str] | None = own["key_password"]
        self._key_ring: KeyRing | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client and its connections.

        Operations under way end with RuntimeError; later ones raise it at once. It may be called
        any number of times, from several tasks; each call returns when everything is closed.
        """
        if self._closing is None:
            self._operations.end()
            if self._key_ring:
                self._key_ring.end()
            self._closing = asyncio.ensure_future(self._close())
        # Cancelling one caller must not leave the connections half closed for the others.
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # Operations that end may still have requests to send, such as to cancel an upload.
        await self._operations.wait()
        await self._hosts.aclose()

    @documented(MergeKeywords)
    async def merge(
        self, target: str | Reference | None = None, **keywords: Unpack[MergeKeywords]
    ) -> MergeResult:
        """Join images into one multi-architecture image.

        Args:
            target: the tag to publish, for example ``reg.example/app:latest``; it may also be
                among ``targets``.
            **keywords: those of ``options.MergeKeywords``.

        Returns:
            The same as ``oci_merge.merge``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.merge``.
        """
        return await self._join(target, self._checked("merge", MergeKeywords, keywords))

    @documented(PushKeywords)
    async def push(self, spec: Spec, **keywords: Unpack[PushKeywords]) -> MergeResult:
        """Join the images of a spec as manifest-tool does, byte for byte.

        Args:
            spec: the target and its images, from ``parse_spec`` or ``spec_from_template``.
            **keywords: those of ``options.PushKeywords``.

        Returns:
            The same as ``oci_merge.merge``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.merge``.
        """
        asked = self._checked("push", PushKeywords, keywords)
        # As manifest-tool does, which knows docker's own file alone.
        return await self._run(
            spec_job(spec, asked), asked["on_event"], dry_run=False, docker_first=True
        )

    @documented(MergeKeywords)
    async def append(
        self, target: str | Reference | None = None, **keywords: Unpack[MergeKeywords]
    ) -> MergeResult:
        """Join images with those that the target's present index lists: ``merge`` with ``append``.

        Args:
            target: as for ``merge``.
            **keywords: those of ``options.MergeKeywords``.

        Returns:
            The same as ``oci_merge.merge``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.append``.
        """
        asked = self._checked("append", MergeKeywords, keywords)
        asked["append"] = True
        return await self._join(target, asked)

    @documented(RemoveKeywords)
    async def remove(
        self, reference: str | Reference, **keywords: Unpack[RemoveKeywords]
    ) -> MergeResult:
        """Take images out of an index, with their attestations.

        Args:
            reference: the index's tag, for example ``reg.example/app:1.0``.
            **keywords: those of ``options.RemoveKeywords``.

        Returns:
            The same as ``oci_merge.remove``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.remove``.
        """
        from oci_merge.planning.edit_request import Removal

        asked = self._checked("remove", RemoveKeywords, keywords)
        return await self._edit(reference, Removal(asked), asked)

    @documented(AnnotateKeywords)
    async def annotate(
        self, reference: str | Reference, **keywords: Unpack[AnnotateKeywords]
    ) -> MergeResult:
        """Set and remove annotations of an index and of its entries.

        Args:
            reference: the index's tag, for example ``reg.example/app:1.0``.
            **keywords: those of ``options.AnnotateKeywords``.

        Returns:
            The same as ``oci_merge.annotate``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.annotate``.
        """
        from oci_merge.planning.edit_request import Annotating

        asked = self._checked("annotate", AnnotateKeywords, keywords)
        return await self._edit(reference, Annotating(asked), asked)

    @documented(BatchKeywords)
    async def batch(
        self,
        images: Iterable[BatchImage | Mapping[str, Any]],
        **keywords: Unpack[BatchKeywords],
    ) -> BatchResult:
        """Merge many images, ``concurrency`` of them side by side.

        All are checked before the first request. One that fails stops no other, and a rerun does
        what is left. The client's ``deadline`` is for the whole batch.

        Args:
            images: what ``parse_batch`` returns, or the keywords of ``merge`` for each image, with
                ``target`` and perhaps a ``name`` for messages.
            **keywords: those of ``options.BatchKeywords``.

        Returns:
            The same as ``oci_merge.batch``.

        Raises:
            UsageError: an image is wrong, or two get in each other's way; no request was sent.
            RuntimeError: the client is closed.
        """
        from oci_merge.operations.batch import run_batch  # not needed by a single merge
        from oci_merge.planning.batch import batch_jobs, check_one_registry

        asked = self._checked("batch", BatchKeywords, keywords)
        # In a thread: ten thousand images take seconds, and files of builders may be pipes.
        jobs = await asyncio.to_thread(batch_jobs, images, asked["shard"], _read_built)
        if self._hosts.has_given_login:
            check_one_registry(jobs)
        deadline, dry_run = Deadline(self._options.deadline), asked["dry_run"]

        async def run_one(job: BatchJob, on_event: OnEvent) -> MergeResult:
            return await self._run(
                job.job, on_event, dry_run=dry_run, docker_first=job.is_spec, deadline=deadline
            )

        on_event = asked["on_event"] or ignore
        return await run_batch(jobs, run_one, on_event, limit=self._concurrency, dry_run=dry_run)

    @documented(InspectKeywords)
    async def inspect(
        self, reference: str | Reference, **keywords: Unpack[InspectKeywords]
    ) -> Inspection:
        """Look at an image or an index in its registry, without downloading layers.

        Args:
            reference: with a tag or a digest, for example ``reg.example/app:latest``.
            **keywords: those of ``options.InspectKeywords``.

        Returns:
            The same as ``oci_merge.inspect``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.inspect``.
        """
        asked = self._checked("inspect", InspectKeywords, keywords)
        text = take.reference("reference", reference)
        parsed = check_inspected(text)
        async with self._operations.one():
            registry = RegistryClient(
                self._hosts.get(parsed.registry),
                reads=(parsed.repository,),
                deadline=Deadline(self._options.deadline),
                on_event=asked["on_event"] or ignore,
            )
            return await inspect_reference(registry, parsed, text, shallow=asked["shallow"])

    @documented(ApplyKeywords)
    async def apply(
        self,
        plan: str | PathLike | Mapping[str, Any] | MergeResult,
        **keywords: Unpack[ApplyKeywords],
    ) -> MergeResult:
        """Publish what a dry run has planned, if nothing has changed since.

        Args:
            plan: the file that the JSON of a dry run was written to, its text, its values, or the
                result of a dry run.
            **keywords: those of ``options.ApplyKeywords``.

        Returns:
            The same as ``oci_merge.merge``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.apply``.
        """
        from oci_merge.operations.apply import Apply, read_plan
        from oci_merge.planning.cleaning import check_deletable

        asked = self._checked("apply", ApplyKeywords, keywords)
        file = read_plan(plan)
        job = file.job(verify=asked["verify"], delete_sources=asked["delete_sources"])
        if job.delete_sources:
            check_deletable([target.reference for target in job.targets], job.references)
        on_event = asked["on_event"] or ignore
        async with self._operations.one():
            run = Apply(file, on_event)
            deadline = Deadline(self._options.deadline)
            result = await run.run(self._registries(job, deadline, on_event, run.warn))
            if not job.verify:
                return result
            return await self._finish(job, result, deadline, on_event)

    @documented(VerifyKeywords)
    async def verify(
        self,
        reference: str | Reference,
        *,
        digest: str | None = None,
        platforms: Iterable[str | Platform] = (),
        **keywords: Unpack[VerifyKeywords],
    ) -> Verification:
        """Read an image with all that it lists, until its registry shows it.

        Args:
            reference: with a tag, a digest or both, for example ``reg.example/app:latest``.
            digest: the digest that the tag has to stand at; by default any.
            platforms: the platforms that it must have images for.
            **keywords: those of ``options.VerifyKeywords``.

        Returns:
            The same as ``oci_merge.verify``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.verify``.
        """
        from oci_merge.operations.verify_reference import check_verified, verify_reference
        from oci_merge.planning.signing import check_keys
        from oci_merge.planning.sources import check_platform

        asked = self._checked("verify", VerifyKeywords, keywords)
        wanted = None if digest is None else take.text("digest", digest)
        parsed = check_verified(take.reference("reference", reference), wanted)
        named = take.several(take.platform)("platforms", platforms)
        required = [check_platform(platform) for platform in named]
        keys = check_keys("keys", asked["keys"])
        async with self._operations.one():
            trusted = (await self._keys.trust(None, keys)).keys if keys else ()
            deadline = Deadline(self._options.deadline)
            on_event = asked["on_event"] or ignore
            repositories = {parsed.registry: (parsed.repository,)}
            anew = self._hosts.anew(parsed.registry, deadline, repositories, on_event)
            async with anew as registries:
                return await verify_reference(
                    registries, parsed, required, deadline, on_event, trusted
                )

    @documented(SignOwnKeywords)
    async def sign(
        self, reference: str | Reference, **keywords: Unpack[SignOwnKeywords]
    ) -> SignResult:
        """Sign an image or an index that is in its registry, with all that it lists.

        Args:
            reference: with a tag or a digest, for example ``reg.example/app:latest``.
            **keywords: those of ``options.SignOwnKeywords``.

        Returns:
            The same as ``oci_merge.sign``.

        Raises:
            RuntimeError: the client is closed.
            OciMergeError: as by ``oci_merge.sign``.
        """
        from oci_merge.operations.sign_reference import sign_reference
        from oci_merge.planning.signing import check_key, formats_of

        asked = self._checked("sign", SignOwnKeywords, keywords)
        text = take.reference("reference", reference)
        parsed = check_inspected(text)
        if asked["key"] is not None:
            check_key("key", asked["key"])
        on_event = asked["on_event"] or ignore
        async with self._operations.one():
            signer = await self._keys.signer(asked["key"] or "")
            registry = RegistryClient(
                self._hosts.get(parsed.registry),
                writes=(parsed.repository,),
                deadline=Deadline(self._options.deadline),
                on_event=on_event,
            )
            formats = formats_of(asked["sign_format"])
            index_only = asked["sign_index_only"]
            return await sign_reference(
                registry, parsed, signer, formats, on_event, index_only=index_only
            )

    def _checked(self, method: str, kind: type[_T], keywords: Mapping[str, Any]) -> _T:
        """Return the keywords of a call, checked, with defaults for those left out."""
        self._operations.check_open()
        check_names(f"{self._name}.{method}", kind, keywords)
        return checked(kind, keywords)

    async def _join(self, target: str | Reference | None, asked: MergeKeywords) -> MergeResult:
        job = merge_job(target, asked, await _built_images(asked))
        return await self._run(job, asked["on_event"], dry_run=asked["dry_run"])

    async def _run(
        self,
        job: Job,
        on_event: OnEvent | None,
        *,
        dry_run: bool,
        docker_first: bool = False,
        deadline: Deadline | None = None,
    ) -> MergeResult:
        on_event = on_event or ignore
        async with self._operations.one():
            # Before the first request: a key that cannot be read is found with nothing done.
            trust = await self._keys.trust(job.sign, job.verify_keys) if job.needs_trust else None
            run = Merge(job, on_event, trust)
            deadline = deadline or Deadline(self._options.deadline)
            registries = self._registries(
                job, deadline, on_event, run.warn, docker_first=docker_first
            )
            result = await run.run(registries, dry_run=dry_run)
            if dry_run or not (job.verify or job.delete_sources):
                return result
            return await self._finish(job, result, deadline, on_event)

    @property
    def _keys(self) -> KeyRing:
        if self._key_ring is None:
            from oci_merge.operations.keys import KeyRing  # few runs use keys

            self._key_ring = KeyRing(self._key_password)
        return self._key_ring

    def _registries(
        self,
        job: Job,
        deadline: Deadline,
        on_event: OnEvent,
        warn: Callable[[str], object],
        *,
        docker_first: bool = False,
    ) -> dict[str, RegistryClient]:
        """Return the registries of a job for one run, by ``host[:port]``."""
        return {
            name: RegistryClient(
                self._hosts.get(
                    name, is_other=name != job.target.registry, docker_first=docker_first
                ),
                reads=job.read_in(name),
                writes=job.written_in(name),
                deadline=deadline,
                on_event=on_event,
                on_warning=warn,
            )
            for name in job.registries
        }

    async def _finish(
        self, job: Job, result: MergeResult, deadline: Deadline, on_event: OnEvent
    ) -> MergeResult:
        """Verify what was published and, if the job says so, delete tags of the images."""
        from oci_merge.operations.after import finish  # few runs need it

        anew = partial(self._hosts.anew, job.target.registry, deadline)
        return await finish(job, result, anew, deadline, on_event)

    async def _edit(
        self, reference: str | Reference, change: Change, asked: EditKeywords
    ) -> MergeResult:
        # Most programs change no index, and need not load what does.
        from oci_merge.operations.edit import Edit
        from oci_merge.planning.edit_request import check_edited
        from oci_merge.planning.signing import sign_wish

        at = check_edited(take.reference("reference", reference))
        wish = sign_wish(asked)
        on_event = asked["on_event"] or ignore
        async with self._operations.one():
            trust = await self._keys.trust(wish, ()) if wish else None
            run = Edit(at, change, on_event, wish, trust)
            registry = RegistryClient(
                self._hosts.get(at.registry),
                writes=(at.repository,),
                deadline=Deadline(self._options.deadline),
                on_event=on_event,
                on_warning=run.warn,
            )
            return await run.run(registry, dry_run=asked["dry_run"])


async def _built_images(asked: MergeKeywords) -> tuple[BuiltImage, ...]:
    """Return the images that the files of builders name."""
    # In a thread: a file may be a pipe into which another program has yet to write.
    return await asyncio.to_thread(_read_built, asked) if asked["source_files"] else ()


def _read_built(asked: MergeKeywords) -> tuple[BuiltImage, ...]:
    """Read the images that the files of builders name."""
    files = cast("tuple[str | Readable, ...]", asked["source_files"])
    if not files or asked["template"] is not None:  # with a template, merge_job refuses them
        return ()
    from oci_merge.operations.source_files import read_source_files  # not used by most merges

    return read_source_files(files)
