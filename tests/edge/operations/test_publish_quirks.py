"""Ways in which single registries handle tags and manifests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.embedded.calls import Call, Endpoint
from fixtures.embedded.faults import BreakOff, On, Redirect
from fixtures.embedded.personalities import (
    Personality,
    docker_hub,
    harbor,
    nexus,
    quay,
)
from fixtures.embedded.quirks.answers import WarningHeader
from fixtures.embedded.quirks.manifests import SerialWrites
from fixtures.embedded.quirks.mounts import LateBlobs
from fixtures.embedded.settings import BasicAuth, Settings
from fixtures.images import build_image
from fixtures.server import serve
from fixtures.tokens import Account

AMD64, ARM64, OLD = (
    build_image("linux", "amd64"),
    build_image("linux", "arm64"),
    build_image("linux", "s390x"),
)


class Forgetful(Hook):
    """Knows nothing of a tag that is read, until it was pushed."""

    def __init__(self) -> None:
        self._pushed = False

    async def around(self, call: Call, endpoint: Endpoint) -> Response:
        self._pushed = self._pushed or call.puts_manifest
        is_target = call.reference == "1.0" and call.name.endswith("/app")
        if call.reads_manifest and is_target and not self._pushed:
            return Response(status_code=404)
        return await endpoint(call)


def with_images(registry: EmbeddedRegistry, namespace: str = "team") -> EmbeddedRegistry:
    registry.add_image(f"{namespace}/app-amd64", "1.0", AMD64)
    registry.add_image(f"{namespace}/app-arm64", "1.0", ARM64)
    return registry


def merge(host: str, namespace: str = "team", **options: Any) -> oci_merge.MergeResult:
    target = options.pop("target", f"{host}/{namespace}/app:1.0")
    return oci_merge.merge(
        str(target),
        sources=[f"{host}/{namespace}/app-{name}:1.0" for name in ("amd64", "arm64")],
        **options,
    )


def merge_at(person: Personality, host: str, **options: Any) -> oci_merge.MergeResult:
    username, password = person.login or (None, None)
    return merge(host, person.namespace, username=username, password=password, **options)


def digest_of_tag(registry: EmbeddedRegistry, tag: str, repository: str = "team/app") -> str:
    held = registry.storage.manifest(repository, tag)
    return held.digest if held else ""


IMMUTABLE: list[Callable[[], Personality]] = [
    lambda: docker_hub(immutable="*"),
    lambda: quay(immutable="*"),
    lambda: harbor(immutable="*"),
    lambda: nexus(overwrites=False),
]


@pytest.mark.parametrize("person", IMMUTABLE)
def test_an_immutable_tag_with_this_digest_is_a_success_that_changed_nothing(
    person: Callable[[], Personality],
) -> None:
    kind = person()
    with_images(kind.registry, kind.namespace)
    with serve(kind.registry.app) as server:
        first = merge_at(kind, server.host)
        second = merge_at(kind, server.host)
    assert [tag.changed for tag in first.tags] == [True]
    assert [tag.changed for tag in second.tags] == [False]


@pytest.mark.parametrize("person", IMMUTABLE)
def test_a_refused_put_to_a_tag_that_has_this_digest_all_the_same_is_a_success(
    person: Callable[[], Personality],
) -> None:
    kind = person()
    with_images(kind.registry, kind.namespace)
    with serve(kind.registry.app) as server:
        merge_at(kind, server.host)
        kind.registry.hooks.append(Forgetful())
        events: list[oci_merge.Event] = []
        result = merge_at(kind, server.host, on_event=events.append)
    assert [tag.changed for tag in result.tags] == [False]
    assert oci_merge.TagMoved("1.0", changed=False) in events


@pytest.mark.parametrize("person", IMMUTABLE)
def test_an_immutable_tag_with_another_digest_is_an_error_that_says_so(
    person: Callable[[], Personality],
) -> None:
    kind = person()
    with_images(kind.registry, kind.namespace)
    repository = f"{kind.namespace}/app"
    kind.registry.add_image(repository, "1.0", OLD)
    with serve(kind.registry.app) as server, pytest.raises(oci_merge.ImmutableTagError) as caught:
        merge_at(kind, server.host)
    assert "immutable" in caught.value.message
    assert OLD.digest in caught.value.message
    assert digest_of_tag(kind.registry, "1.0", repository) == OLD.digest


@pytest.mark.parametrize("path", ["*/team/app/manifests/sha256:*", "*/team/app/manifests/1.0"])
def test_a_put_whose_answer_got_lost_is_found_to_have_happened(path: str) -> None:
    lost = On("PUT", path, BreakOff(done=True), times=1)
    registry = with_images(EmbeddedRegistry(hooks=[lost]))
    with serve(registry.app) as server:
        result = merge(server.host)
    assert lost.struck == 1
    assert digest_of_tag(registry, "1.0") == result.digest
    assert [tag.changed for tag in result.tags] == [True]


def test_a_put_that_did_not_happen_is_an_error() -> None:
    lost = On("PUT", "*/team/app/manifests/1.0", BreakOff())
    registry = with_images(EmbeddedRegistry(hooks=[lost]))
    with serve(registry.app) as server, pytest.raises(oci_merge.TransportError):
        merge(server.host)
    assert digest_of_tag(registry, "1.0") == ""


def test_tags_that_clash_are_pushed_one_after_the_other() -> None:
    registry = with_images(EmbeddedRegistry(hooks=[SerialWrites()]))
    with serve(registry.app) as server:
        result = merge(server.host, tags=["latest", "1", "1.0.0"])
    for tag in ("1.0", "latest", "1", "1.0.0"):
        assert digest_of_tag(registry, tag) == result.digest
    assert [tag.changed for tag in result.tags] == [True] * 4


def test_each_tag_is_put_by_its_own_name() -> None:
    registry = with_images(EmbeddedRegistry())
    with serve(registry.app) as server:
        merge(server.host, tags=["latest"])
    puts = [r.path for r in registry.requests if r.method == "PUT" and "?" in r.path]
    assert puts == []


def test_a_blob_that_is_seen_a_moment_late_costs_one_more_try(
    set_timings: Callable[..., None],
) -> None:
    set_timings(settling=0.01)
    registry = with_images(EmbeddedRegistry(hooks=[LateBlobs(1)]))
    registry.add_image("team/app-one", "1.0", build_image("linux", "s390x", layers=0))
    with serve(registry.app) as server:
        result = oci_merge.merge(
            f"{server.host}/team/app:1.0", sources=[f"{server.host}/team/app-one:1.0"]
        )
    assert digest_of_tag(registry, "1.0") == result.digest


def test_a_blob_that_is_never_seen_is_an_error_after_one_more_try(
    set_timings: Callable[..., None],
) -> None:
    set_timings(settling=0.01)
    registry = EmbeddedRegistry(hooks=[LateBlobs(100)])
    registry.add_image("team/app-one", "1.0", build_image("linux", "s390x", layers=0))
    with serve(registry.app) as server, pytest.raises(oci_merge.RegistryError) as caught:
        oci_merge.merge(f"{server.host}/team/app:1.0", sources=[f"{server.host}/team/app-one:1.0"])
    assert "MANIFEST_BLOB_UNKNOWN" in caught.value.codes
    assert len([r for r in registry.requests if r.method == "PUT"]) == 2


def test_a_warning_of_the_registry_is_shown_once() -> None:
    registry = with_images(EmbeddedRegistry(hooks=[WarningHeader("going away\\x1b[31m soon")]))
    events: list[oci_merge.Event] = []
    with serve(registry.app) as server:
        result = merge(server.host, on_event=events.append)
    shown = [event.message for event in events if isinstance(event, oci_merge.Warned)]
    assert shown == [f"{server.host} warns: going awayx1b[31m soon"]
    assert list(result.warnings) == shown


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_write_is_sent_again_to_where_it_is_redirected_without_credentials(
    method: str, status: int
) -> None:
    everything = {"*": frozenset({"pull", "push"})}
    auth = BasicAuth([Account("ci", "secret", everything)])
    other = EmbeddedRegistry()
    registry = with_images(EmbeddedRegistry(Settings(auth=auth)))
    with serve(other.app) as elsewhere, serve(registry.app) as server:
        registry.hooks.append(On(method, "*/team/app/*", Redirect(elsewhere.url, status)))
        with pytest.raises(oci_merge.OciMergeError):  # what it names is not there
            merge(server.host, username="ci", password="secret")
    redirected = [request for request in other.requests if request.method == method]
    assert redirected
    assert not [request for request in other.requests if "authorization" in request.headers]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_write_never_becomes_a_get(status: int) -> None:
    other = EmbeddedRegistry()
    registry = with_images(EmbeddedRegistry())
    with serve(other.app) as elsewhere, serve(registry.app) as server:
        redirect = Redirect(elsewhere.url, status)
        registry.hooks.append(On("PUT", "*/team/app/manifests/*", redirect))
        with pytest.raises(oci_merge.RegistryError) as caught:
            merge(server.host)
    assert caught.value.status == status
    assert other.requests == []


def test_the_hint_says_to_create_a_harbor_project_that_is_missing() -> None:
    kind = harbor(projects=("team",))
    with_images(kind.registry)
    with serve(kind.registry.app) as server, pytest.raises(oci_merge.OciMergeError) as caught:
        merge_at(kind, server.host, target=f"{server.host}/other/app:1.0", copy_layers=True)
    assert "project other" in caught.value.hint or "project other" in str(caught.value)
