"""Several tags in one request, once a client knows that the registry supports them."""

from __future__ import annotations

import asyncio

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Settings
from fixtures.server import serve
from tests.edge.support import Answers, asks, reply, sources, stocked, tags

_TAGS = ["1", "1.2", "1.2.3"]


async def _merges(host: str, count: int) -> list[oci_merge.MergeResult]:
    async with oci_merge.AsyncClient() as client:
        return [
            await client.merge(f"{host}/bulk/app{number}:latest", sources=sources(host), tags=_TAGS)
            for number in range(count)
        ]


def _run(registry: EmbeddedRegistry, count: int) -> list[oci_merge.MergeResult]:
    with serve(registry.app) as server:
        results = asyncio.run(_merges(server.host, count))
    for number, result in enumerate(results):
        expected = dict.fromkeys(["latest", *_TAGS], result.digest)
        assert tags(registry, f"bulk/app{number}") == expected
        assert [tag.changed for tag in result.tags] == [True] * 4
    return results


def _index_puts(registry: EmbeddedRegistry, number: int) -> list[str]:
    """Return how an image's index was put: by which tag, or by which query."""
    part = f"/v2/bulk/app{number}/manifests/"
    puts = [seen.path for seen in registry.requests if seen.method == "PUT" and part in seen.path]
    ends = [path.rpartition("/")[2] for path in puts]
    return [end.partition("?")[2] or end for end in ends if "?" in end or ":" not in end]


def test_a_registry_that_takes_several_tags_gets_them_in_one_request_from_the_second_image_on() -> (
    None
):
    registry = stocked()
    _run(registry, 3)
    at_once = "&".join(f"tag={tag}" for tag in ["latest", *_TAGS])
    assert sorted(_index_puts(registry, 0)) == sorted(["latest", *_TAGS])
    assert [_index_puts(registry, number) for number in (1, 2)] == [[at_once]] * 2


def test_a_registry_that_ignores_several_tags_is_tried_once_and_then_gets_each_by_itself() -> None:
    registry = stocked(Settings(multi_tag=False))
    _run(registry, 3)
    asked = [path for number in range(3) for path in _index_puts(registry, number) if "=" in path]
    assert len(asked) == 1
    assert sorted(_index_puts(registry, 2)) == sorted(["latest", *_TAGS])


def test_a_single_merge_does_not_try_several_tags_at_once() -> None:
    registry = stocked()
    _run(registry, 1)
    assert not [path for path in _index_puts(registry, 0) if "=" in path]


def test_tags_that_the_answer_does_not_name_are_put_by_themselves() -> None:
    registry = stocked()
    named = reply(201, b"", oci_tag="latest, 1")
    partly = Answers(asks("PUT", "?tag="), named, times=1)
    registry.hooks.append(partly)
    with serve(registry.app) as server:
        asyncio.run(_merges(server.host, 2))
    assert partly.count == 1
    assert sorted(path for path in _index_puts(registry, 1) if "=" not in path) == ["1.2", "1.2.3"]


@pytest.mark.parametrize("status", [400, 403, 405])
def test_tags_are_pushed_one_by_one_if_the_registry_refuses_several_at_once(status: int) -> None:
    registry = stocked()
    refused = Answers(asks("PUT", "?tag="), reply(status, b"{}"))
    registry.hooks.append(refused)
    _run(registry, 3)
    assert refused.count == 1
