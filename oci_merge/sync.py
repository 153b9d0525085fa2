"""The verbs and the client for code that has no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import closing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack

from oci_merge._keywords import documented
from oci_merge.client import AsyncClient
from oci_merge.options import ClientCall
from oci_merge.verbs import (
    annotate_async,
    append_async,
    apply_async,
    batch_async,
    inspect_async,
    merge_async,
    push_async,
    remove_async,
    sign_async,
    verify_async,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _blocking(verb: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, _T]:
    """Return ``verb`` with the same parameters, run to its end in an event loop of its own."""
    name = verb.__name__.removesuffix("_async")

    @wraps(verb)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        _refuse_event_loop(name, f"oci_merge.{verb.__name__}")
        return asyncio.run(verb(*args, **kwargs))

    run.__name__ = run.__qualname__ = name
    run.__doc__ = (
        f"{verb.__doc__ or ''}\n\nBlocking. In a running event loop it raises RuntimeError; "
        f"await ``{verb.__name__}`` there."
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


class _Client(AsyncClient):
    """The client behind a blocking one, whose errors name that."""

    _name = "Client"


@documented(ClientCall)
class Client:
    """``AsyncClient`` for code that has no event loop; use it in a ``with`` block.

    Many threads may use it at once. Its operations run in a thread of its own, which also calls
    ``on_event``.

        with oci_merge.Client() as client, ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda image: client.merge(**image), images))

    It takes and raises what ``AsyncClient`` does.

    Args:
        **keywords: those of ``options.ClientCall``.
    """

    def __init__(self, **keywords: Unpack[ClientCall]) -> None:
        self._client = _Client(**keywords)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._closing: Future[None] | None = None
        # Guards these, so that no call is handed to a loop that is about to stop.
        self._lock = threading.Lock()

    def __enter__(self) -> Client:
        with self._lock:
            if self._is_closed or self._thread is not None:
                raise RuntimeError("the client was opened or closed before; make another one")
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=[self._loop], name="oci-merge", daemon=True
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
        """Close the client and its connections, and end its thread.

        Operations under way end with RuntimeError in the threads that wait for them. It may be
        called any number of times, from any thread. It returns when everything is closed. Called by
        ``on_event`` it returns at once, since it runs in the thread that has to end.
        """
        with self._lock:
            self._is_closed = True
            if self._loop is not None:
                self._closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
                self._loop = None
        if self._thread is None or self._thread is threading.current_thread():
            return
        self._thread.join()
        if self._closing is not None:
            self._closing.result()

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._client.aclose()
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await loop.shutdown_asyncgens()
            # Not stop() itself: the loop needs one more turn to report the end of this task.
            loop.call_soon(loop.stop)

    def _wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        with self._lock:
            if self._loop is None:
                work.close()
                raise RuntimeError(
                    "the client is closed; make another one"
                    if self._is_closed
                    else "the client is not open: use it in a with block"
                )
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Such as KeyboardInterrupt: nobody waits for the outcome any more.
            future.cancel()
            raise

    merge = _awaited(AsyncClient.merge)
    append = _awaited(AsyncClient.append)
    push = _awaited(AsyncClient.push)
    remove = _awaited(AsyncClient.remove)
    annotate = _awaited(AsyncClient.annotate)
    inspect = _awaited(AsyncClient.inspect)
    batch = _awaited(AsyncClient.batch)
    verify = _awaited(AsyncClient.verify)
    sign = _awaited(AsyncClient.sign)
    apply = _awaited(AsyncClient.apply)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop in this thread until it is stopped, and close it."""
    with closing(loop):
        loop.run_forever()


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


merge = _blocking(merge_async)
append = _blocking(append_async)
push = _blocking(push_async)
remove = _blocking(remove_async)
annotate = _blocking(annotate_async)
inspect = _blocking(inspect_async)
batch = _blocking(batch_async)
verify = _blocking(verify_async)
sign = _blocking(sign_async)
apply = _blocking(apply_async)
