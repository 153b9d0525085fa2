"""The verbs for code without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from pathlib import Path

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.server import RunningServer
from tests.edge.support import AMD64, merge, sources, tags, target

_VERBS = ["merge", "inspect", "push"]


@pytest.mark.parametrize("verb", _VERBS)
def test_a_verb_has_the_signature_and_the_words_of_the_asynchronous_one(verb: str) -> None:
    blocking, waiting = getattr(oci_merge, verb), getattr(oci_merge, f"{verb}_async")
    assert inspect.signature(blocking) == inspect.signature(waiting)
    assert blocking.__doc__.startswith(waiting.__doc__.rstrip())
    assert inspect.iscoroutinefunction(waiting)
    assert not inspect.iscoroutinefunction(blocking)


@pytest.mark.anyio
@pytest.mark.parametrize("verb", _VERBS)
async def test_a_verb_refuses_where_an_event_loop_runs_and_names_the_other(verb: str) -> None:
    with pytest.raises(RuntimeError, match=f"await oci_merge.{verb}_async instead"):
        getattr(oci_merge, verb)("reg.test/app:1")


@pytest.mark.anyio
async def test_a_verb_works_in_a_thread_beside_an_event_loop(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    result = await asyncio.to_thread(merge, server.host)
    assert tags(registry) == {"latest": result.digest}


def test_a_verb_does_what_the_asynchronous_one_does(server: RunningServer) -> None:
    host = server.host
    first = oci_merge.merge(target(host), sources=sources(host))
    again = asyncio.run(oci_merge.merge_async(target(host), sources=sources(host)))
    assert first.digest == again.digest
    assert oci_merge.inspect(target(host)) == asyncio.run(oci_merge.inspect_async(target(host)))


def test_inspecting_an_image_takes_a_manifest_and_a_config(
    server: RunningServer, registry: EmbeddedRegistry
) -> None:
    found = oci_merge.inspect(f"{server.host}/team/app-amd64:1.0")
    assert (found.digest, found.content) == (AMD64.digest, AMD64.manifest)
    assert [str(image.platform) for image in found.images] == ["linux/amd64"]
    assert [seen.method for seen in registry.requests] == ["GET", "GET"]


def test_events_come_in_the_caller_s_thread(server: RunningServer) -> None:
    threads = set[threading.Thread]()
    merge(server.host, on_event=lambda _: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"username": "ci"}, "a username is given without a password"),
        ({"password": "s3cret"}, "a password is given without a username"),
        ({"username": "", "password": "s3cret"}, "a password is given without a username"),
        ({"tags": ["a:b"]}, "is not a tag"),
        ({"format": "tar"}, "is not a format"),
        ({"sources": ["other.test/x:1"]}, "is in the registry other.test"),
    ],
)
def test_what_is_asked_for_wrongly_is_found_before_the_first_request(
    options: dict[str, object], message: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    with pytest.raises(oci_merge.UsageError, match=message) as caught:
        merge(server.host, **options)
    assert caught.value.hint
    assert "s3cret" not in repr(caught.value)
    assert registry.requests == []


def test_references_platforms_and_paths_may_be_values(
    server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    reference = oci_merge.parse_reference
    result = oci_merge.merge(
        reference(target(server.host)),
        sources={reference(source) for source in sources(server.host)},
        docker_config=tmp_path,
    )
    assert tags(registry) == {"latest": result.digest}
    found = oci_merge.inspect(reference(target(server.host)))
    assert (found.digest, found.reference) == (result.digest, target(server.host))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_docker_config_that_is_not_there_is_an_error_as_text_and_as_a_path(
    kind: type, server: RunningServer, registry: EmbeddedRegistry, tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere" / "config.json"
    with pytest.raises(oci_merge.CredentialError, match="cannot be read: No such file"):
        merge(server.host, docker_config=kind(missing))
    with pytest.raises(oci_merge.CredentialError, match="cannot be read: No such file"):
        oci_merge.explain_credentials("reg.test/app:1", docker_config=kind(missing))
    assert registry.requests == []
