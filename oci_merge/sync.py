"""The verbs of ``api``, and the client, for code that has no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from oci_merge import api
from oci_merge.client import DEFAULT_CONCURRENCY, AsyncClient
from oci_merge.options import RegistryOptions

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _blocking(verb: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, _T]:
    """Return ``verb`` with the same parameters, run to its end in an event loop of its own."""

    @wraps(verb)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        _refuse_event_loop(verb.__name__, f"oci_merge.{verb.__name__}_async")
        return asyncio.run(verb(*args, **kwargs))

    run.__doc__ = (
        f"{verb.__doc__}\n    Blocking. In a running event loop it raises RuntimeError; "
        f"await ``{verb.__name__}_async`` there.\n    "
    )
    return run


def _awaited(
    method: Callable[Concatenate[AsyncClient, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[Client, _P], _T]:
    """Return a method of the asynchronous client as one of the blocking client."""

    @wraps(method)
    def run(self: Client, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        _refuse_event_loop(f"Client.{method.__name__}", "the same method of oci_merge.AsyncClient")
        return self._wait_for(method(self._client, *args, **kwargs))

    return run


class Client:
    """``AsyncClient`` for code that has no event loop; use it in a ``with`` block.

    It may be used by many threads at once. Its operations run in a thread of its own, in which
    events are told, too.

        with oci_merge.Client() as client, ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda image: client.merge(**image), images))

    It takes and raises what ``AsyncClient`` does.
    """

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        docker_config: str | None = None,
        plain_http: bool = False,
        insecure: bool = False,
        connection: RegistryOptions | None = None,
        source_plain_http: bool = False,
        source_insecure: bool = False,
        concurrency: int = DEFAULT_CONCURRENCY,
    ) -> None:
        self._client = AsyncClient(
            username=username,
            password=password,
            docker_config=docker_config,
            plain_http=plain_http,
            insecure=insecure,
            connection=connection,
            source_plain_http=source_plain_http,
            source_insecure=source_insecure,
            concurrency=concurrency,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._switching = threading.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Client:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="oci-merge", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and end the thread; what is under way is cancelled."""
        with self._switching:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()

    async def _end(self) -> None:
        # First what was asked for, which lets its own tasks come to an end.
        for tasks in (self._under_way, asyncio.all_tasks() - {asyncio.current_task()}):
            for task in tasks:
                assert task is not None
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _noted(self, work: Coroutine[Any, Any, _T]) -> _T:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await work
        finally:
            self._under_way.discard(task)

    def _wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        with self._switching:
            if self._loop is None:
                work.close()
                raise RuntimeError("the client is not open: use it in a with block")
            future = asyncio.run_coroutine_threadsafe(self._noted(work), self._loop)
        try:
            return future.result()
        except BaseException:
            # Such as KeyboardInterrupt: nobody waits for the outcome any more.
            future.cancel()
            raise

    merge = _awaited(AsyncClient.merge)
    push = _awaited(AsyncClient.push)
    inspect = _awaited(AsyncClient.inspect)


def _refuse_event_loop(name: str, instead: str) -> None:
    """Refuse to block an event loop.

    Raises:
        RuntimeError: one is running in this thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        f"oci_merge.{name} blocks, but an event loop is running: await {instead} instead"
    )


merge = _blocking(api.merge)
push = _blocking(api.push)
inspect = _blocking(api.inspect)
