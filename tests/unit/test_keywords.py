"""Keywords: each is declared once, shown wherever it is taken, and checked before any request."""

from __future__ import annotations

import contextlib
import inspect
import io
import pydoc
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oci_merge
from oci_merge import (
    CredentialError,
    Platform,
    RegistryOptions,
    SigningKeyError,
    Spec,
    UsageError,
    options,
)
from oci_merge._keywords import checked, keywords_of
from oci_merge.options import (
    ClientCall,
    ClientKeywords,
    CredentialKeywords,
    InspectCall,
    InspectKeywords,
    MergeCall,
    MergeKeywords,
    PushCall,
    PushKeywords,
)

_TARGET = "reg.example/app:1"
_SPEC = Spec(_TARGET, (oci_merge.SpecImage("reg.example/a:1"),))

_TAKERS: list[tuple[Callable[..., Any], type]] = [
    (oci_merge.merge, MergeCall),
    (oci_merge.merge_async, MergeCall),
    (oci_merge.push, PushCall),
    (oci_merge.push_async, PushCall),
    (oci_merge.inspect, InspectCall),
    (oci_merge.inspect_async, InspectCall),
    (oci_merge.Client.merge, MergeKeywords),
    (oci_merge.AsyncClient.merge, MergeKeywords),
    (oci_merge.Client.push, PushKeywords),
    (oci_merge.AsyncClient.push, PushKeywords),
    (oci_merge.Client.inspect, InspectKeywords),
    (oci_merge.AsyncClient.inspect, InspectKeywords),
    (oci_merge.Client, ClientCall),
    (oci_merge.AsyncClient, ClientCall),
    (RegistryOptions, ClientKeywords),
    (oci_merge.explain_credentials, CredentialKeywords),
]


@pytest.mark.parametrize(("taker", "kind"), _TAKERS)
def test_a_signature_shows_every_keyword_with_its_type_and_default(
    taker: Callable[..., Any], kind: type
) -> None:
    shown = inspect.signature(taker).parameters
    assert "keywords" not in shown
    types = get_type_hints(kind)
    for name, keyword in keywords_of(kind).items():
        parameter = shown[name]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert (parameter.annotation, parameter.default) == (types[name], keyword.default)


@pytest.mark.parametrize(("taker", "kind"), _TAKERS)
def test_help_shows_every_keyword_with_its_meaning(taker: Callable[..., Any], kind: type) -> None:
    page = " ".join(pydoc.plain(pydoc.render_doc(taker)).replace("|", " ").split())
    for name, keyword in keywords_of(kind).items():
        assert f" {name}: {' '.join(keyword.meaning.split())}" in page
    assert "**keywords" not in page


def test_a_keyword_is_declared_in_one_typed_dict() -> None:
    own: dict[str, str] = {}
    for kind in vars(options).values():
        if not isinstance(kind, type) or not hasattr(kind, "__total__"):
            continue
        for name, keyword in keywords_of(kind).items():
            assert own.setdefault(name, keyword.meaning) is keyword.meaning


def test_registry_options_have_the_keywords_of_a_client() -> None:
    assert [field.name for field in fields(RegistryOptions)] == list(keywords_of(ClientKeywords))
    assert {name: getattr(RegistryOptions(), name) for name in keywords_of(ClientKeywords)} == {
        name: keyword.default for name, keyword in keywords_of(ClientKeywords).items()
    }


@pytest.mark.parametrize(("taker", "kind"), _TAKERS)
def test_a_default_is_a_value_that_may_be_given(taker: Callable[..., Any], kind: type) -> None:
    defaults = {name: keyword.default for name, keyword in keywords_of(kind).items()}
    assert checked(kind, {}) == checked(kind, defaults) == defaults


@pytest.fixture
def client() -> Iterator[oci_merge.Client]:
    """A client that is open."""
    with oci_merge.Client() as opened:
        yield opened


@pytest.mark.parametrize(
    ("taker", "kind"),
    [(taker, kind) for taker, kind in _TAKERS if not inspect.iscoroutinefunction(taker)],
)
def test_an_unknown_keyword_is_a_type_error_that_names_the_right_one(
    taker: Callable[..., Any], kind: type, client: oci_merge.Client
) -> None:
    name = next(iter(keywords_of(kind)))
    own: list[object] = [client] if "self" in inspect.signature(taker).parameters else []
    first: list[object] = [] if isinstance(taker, type) else [_TARGET]
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}e'.*'{name}'"):
        taker(*own, *first, **{f"{name}e": None})


def test_an_unknown_keyword_that_is_like_none_is_told_all_there_are() -> None:
    with pytest.raises(TypeError, match=r"it takes on_event, shallow, .* and client_key$"):
        oci_merge.inspect(_TARGET, zzz=1)  # type: ignore[call-arg]


class _Path:
    """A path of somebody's own."""

    def __fspath__(self) -> str:
        return "config.json"


@pytest.mark.parametrize("path", ["config.json", Path("config.json"), _Path()])
@pytest.mark.parametrize("name", ["docker_config", "ca_file", "client_cert"])
def test_a_path_may_be_text_or_a_path(name: str, path: Any) -> None:
    made: dict[str, Any] = {name: path}
    assert getattr(RegistryOptions(**made), name) == "config.json"


_WRONG: list[tuple[str, object, str]] = [
    ("username", b"ci", "username must be text, got bytes"),
    ("password", 5, "password must be text, got int"),
    ("docker_config", 1, "docker_config must be a path, got int"),
    ("ca_file", b"ca.pem", "ca_file must be a path, got bytes"),
    ("client_cert", "a\0b", r"client_cert must be a path, got 'a\\x00b'"),
    ("client_cert", "a\ud900b", r"client_cert must be a path, got 'a\\ud900b'"),
    ("client_key", ["key.pem"], "client_key must be a path, got list"),
    ("plain_http", "yes", "plain_http must be True or False, got str"),
    ("insecure", None, "insecure must be True or False, got None"),
    ("retries", True, "retries must be a whole number, got bool"),
    ("retries", "3", "retries must be a whole number, got str"),
    ("retries", 2.5, "retries must be a whole number, got float"),
    ("retries", None, "retries must be a whole number, got None"),
    ("retries", -1, "retries must be 0 or more, got -1"),
    ("retries", -(10**400), "retries must be 0 or more, got a number without bounds"),
    ("timeout", "10", "timeout must be a number of seconds, got str"),
    ("timeout", True, "timeout must be a number of seconds, got bool"),
    ("timeout", -1, "timeout must be more than 0 seconds, got -1"),
    ("deadline", float("nan"), "deadline must be more than 0 seconds, got nan"),
    ("deadline", 10**400, "deadline must be more than 0 seconds, got a number without bounds"),
    ("rate", float("inf"), "rate must be more than 0 requests a second, got inf"),
    ("concurrency", 0, "concurrency must be at least 1, got 0"),
    ("concurrency", True, "concurrency must be a whole number, got bool"),
    ("source_registry", {"insecure": True}, "source_registry must be a RegistryOptions, got dict"),
    ("source_registry", RegistryOptions(deadline=3), "source_registry has a deadline"),
]


@pytest.mark.parametrize(("name", "value", "message"), _WRONG)
@pytest.mark.parametrize("kind", [oci_merge.Client, oci_merge.AsyncClient])
def test_a_client_says_which_argument_is_wrong_and_what_to_give(
    kind: Callable[..., Any], name: str, value: object, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        kind(**{name: value})
    assert message in caught.value.message
    assert caught.value.hint


_WRONG_CALLS: list[tuple[dict[str, Any], str]] = [
    ({"target": None}, "the merge has no target"),
    ({"target": b"reg.example/app:1"}, "target must be text or a Reference, got bytes"),
    ({"template": 1}, "template must be text, got int"),
    ({"sources": "reg.example/a:1"}, "the sources are the text 'reg.example/a:1' rather than"),
    ({"sources": b"reg.example/a:1"}, "sources must be a list, got bytes"),
    ({"sources": None}, "sources must be a list, got None"),
    ({"sources": 1}, "sources must be a list, got int"),
    ({"sources": {"reg.example/a:1": 1}}, "sources must be a list, got dict"),
    ({"sources": [None]}, "each of sources must be text or a Reference, got None"),
    ({"source_files": "digests"}, "the source_files are the text 'digests' rather than"),
    ({"source_files": Path("digests")}, "source_files must be a list, got "),
    ({"source_files": io.BytesIO()}, "source_files must be a list, got BytesIO"),
    ({"source_files": [1]}, "each of source_files must be a path, got int"),
    ({"source_files": ["a\0b"]}, "each of source_files must be a path"),
    ({"source_repository": 1}, "source_repository must be text or a Reference, got int"),
    ({"platforms": [1]}, "each of platforms must be text or a Platform, got int"),
    (
        {"platforms": [Platform(1, "amd64")]},  # type: ignore[arg-type]
        "each of platforms has a Platform whose fields are not text",
    ),
    ({"platforms": [Platform("linux/arm", "v7")]}, "'linux/arm/v7' is not a platform"),
    ({"platforms": [Platform("", "")]}, "'/' is not a platform"),
    ({"tags": [b"1"]}, "each of tags must be text, got bytes"),
    ({"tags": "latest"}, "the tags are the text 'latest' rather than a list of texts"),
    ({"annotations": [("a", "b")]}, "annotations must be a mapping of texts, got list"),
    ({"annotations": "a=b"}, "annotations must be a mapping of texts, got str"),
    ({"arch_aliases": ["amd64=x86_64"]}, "arch_aliases must be a mapping of texts, got list"),
    ({"format": None}, "format must be text, got None"),
    ({"format": ["oci"]}, "format must be text, got list"),
    ({"platform_check": True}, "platform_check must be text, got bool"),
    ({"dry_run": "no"}, "dry_run must be True or False, got str"),
    ({"copy_layers": 1}, "copy_layers must be True or False, got int"),
    ({"on_event": "print"}, "on_event must be a function, got str"),
]


@pytest.mark.parametrize(("changes", "message"), _WRONG_CALLS)
def test_a_merge_says_which_argument_is_wrong_and_what_to_give(
    changes: dict[str, Any], message: str
) -> None:
    asked = {"target": _TARGET, "template": "reg.example/app-ARCHVARIANT:1"} | changes
    if "sources" in asked:
        del asked["template"]
    with pytest.raises(UsageError) as caught:
        oci_merge.merge(**asked)
    assert message in caught.value.message
    assert caught.value.hint


def _spec(**changes: Any) -> Spec:
    return Spec(**{"image": _TARGET, "manifests": _SPEC.manifests} | changes)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("spec.yml", "spec must be a Spec, got str"),
        (None, "spec must be a Spec, got None"),
        (_spec(image=1), "spec.image must be text or a Reference, got int"),
        (_spec(manifests="reg.example/a:1"), "the spec.manifests are the text"),
        (_spec(manifests=["reg.example/a:1"]), "spec.manifests must be a SpecImage, got str"),
        (_spec(tags="1"), "the spec.tags are the text '1'"),
        (_spec(annotations=None), "spec.annotations must be a mapping of texts, got None"),
        (
            _spec(manifests=[oci_merge.SpecImage("reg.example/a:1", "linux")]),  # type: ignore[arg-type]
            "must be a Platform, got str",
        ),
    ],
)
def test_a_push_says_what_is_wrong_with_its_spec(spec: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        oci_merge.push(spec)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"platforms": "linux/amd64"},
        {"platforms": None},
        {"template": None},
        {"target": 1},
        {"tags": [1]},
        {"annotations": ["a=b"]},
    ],
)
def test_a_spec_is_made_of_arguments_of_the_right_types(wrong: dict[str, Any]) -> None:
    asked = {"platforms": ["linux/amd64"], "template": "app-ARCH:1", "target": "app:1"} | wrong
    with pytest.raises(UsageError):
        oci_merge.spec_from_template(**asked)


def test_a_spec_takes_platforms_and_references_as_values() -> None:
    spec = oci_merge.spec_from_template(
        platforms=iter([Platform("linux", "arm", "v7"), Platform("linux", "amd64")]),
        template="reg.example/app-ARCHVARIANT:1",
        target=oci_merge.parse_reference(_TARGET),
    )
    assert spec.image == _TARGET
    assert [image.image for image in spec.manifests] == [
        "reg.example/app-armv7:1",
        "reg.example/app-amd64:1",
    ]


def test_no_error_shows_the_value_of_a_wrong_type() -> None:
    for name in keywords_of(ClientCall):
        wrong: dict[str, Any] = {name: [b"s3cret"]}
        with pytest.raises(UsageError) as caught:
            oci_merge.Client(**wrong)
        assert "s3cret" not in f"{caught.value!r} {caught.value.hint}"


def test_nothing_shows_a_password() -> None:
    registry = RegistryOptions(username="ci", password="s3cret")
    client = oci_merge.Client(username="ci", password="s3cret", source_registry=registry)
    asynchronous = oci_merge.AsyncClient(username="ci", password="s3cret", source_registry=registry)
    assert "s3cret" not in f"{registry!r} {registry} {client!r} {asynchronous!r}"


class _ReachedError(Exception):
    """Everything was checked, and the first request would follow."""


#: What JSON can say, and some of what only Python can.
_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.binary(max_size=4)
    | st.sampled_from([_TARGET, "linux/amd64", "oci", "a=b", Path("x"), Platform("linux", "arm")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("verb", "kind", "right"),
    [
        (oci_merge.merge, MergeCall, {"target": _TARGET, "template": "reg.example/app-ARCH:1"}),
        (oci_merge.merge, MergeCall, {"target": _TARGET, "sources": ["reg.example/a:1"]}),
        (oci_merge.push, PushCall, {"spec": _SPEC}),
        (oci_merge.inspect, InspectCall, {"reference": _TARGET}),
    ],
)
def test_whatever_is_given_a_usage_error_comes_or_the_first_request(
    verb: Callable[..., Any],
    kind: type,
    right: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reached(*args: object, **keywords: object) -> None:
        raise _ReachedError

    monkeypatch.setattr("oci_merge.client.RegistryClient", reached)
    with pytest.raises(_ReachedError):
        verb(**right)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from([*right, *keywords_of(kind)]), _ANY)
    def tried(name: str, value: object) -> None:
        with contextlib.suppress(_ReachedError, UsageError, CredentialError, SigningKeyError):
            verb(**right | {name: value})

    tried()
