"""The verbs of ``api`` for code that has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from oci_merge import api

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _blocking(verb: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, _T]:
    """Return ``verb`` with the same parameters, run to its end in an event loop of its own."""

    @wraps(verb)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(verb(*args, **kwargs))
        raise RuntimeError(
            f"oci_merge.{verb.__name__} blocks, but an event loop is running: "
            f"await oci_merge.{verb.__name__}_async instead"
        )

    run.__doc__ = (
        f"{verb.__doc__}\n    Blocking. In a running event loop it raises RuntimeError; "
        f"await ``{verb.__name__}_async`` there.\n    "
    )
    return run


merge = _blocking(api.merge)
push = _blocking(api.push)
inspect = _blocking(api.inspect)
