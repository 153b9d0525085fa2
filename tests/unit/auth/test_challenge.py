"""Challenges, scopes, realms and token documents."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_merge.auth.challenge import (
    DEFAULT_LIFE,
    Challenge,
    Scope,
    Token,
    cancel_upload,
    choose_challenge,
    merge_scopes,
    own_scopes,
    parse_challenges,
    parse_scopes,
    parse_token,
    pull,
    pull_push,
)
from oci_merge.errors import TransportError

_REALM = "https://auth.example/token"


def _bearer(**parameters: str) -> Challenge:
    return Challenge("bearer", parameters)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull"',
            [_bearer(realm=_REALM, service="reg", scope="repository:a:pull")],
        ),
        ('Basic realm="Registry Realm"', [Challenge("basic", {"realm": "Registry Realm"})]),
        ("Basic", [Challenge("basic")]),
        ('bEaReR ReAlM="x"', [_bearer(realm="x")]),
        ("Bearer realm=x,service=y", [_bearer(realm="x", service="y")]),
        ("Bearer realm=https://a.example/t?x=y", [_bearer(realm="https://a.example/t?x=y")]),
        ('Bearer realm = "x" , service = y', [_bearer(realm="x", service="y")]),
        (
            'Bearer realm="a,b", service="c, Basic realm=d"',
            [_bearer(realm="a,b", service="c, Basic realm=d")],
        ),
        (r'Bearer realm="a\"b\\c\d"', [_bearer(realm=r'a"b\cd')]),
        ('Bearer realm=""', [_bearer(realm="")]),
        ('Bearer realm="x",realm="y"', [_bearer(realm="x")]),
        (
            'Bearer realm="x", error="insufficient_scope"',
            [_bearer(realm="x", error="insufficient_scope")],
        ),
        (
            'Basic realm="r", Bearer realm="x",service="y"',
            [Challenge("basic", {"realm": "r"}), _bearer(realm="x", service="y")],
        ),
        ('Bearer realm="x",Basic', [_bearer(realm="x"), Challenge("basic")]),
        ("Negotiate, Basic realm=r", [Challenge("negotiate"), Challenge("basic", {"realm": "r"})]),
        (
            'Negotiate a87421000492aa8742==, Bearer realm="x"',
            [Challenge("negotiate"), _bearer(realm="x")],
        ),
        (
            'NTLM TlRMTVNTUAAC/+~._-=,Basic realm="r"',
            [Challenge("ntlm"), Challenge("basic", {"realm": "r"})],
        ),
        (
            'Digest realm="r", qop="auth,auth-int", nonce="n", Bearer realm="x"',
            [
                Challenge("digest", {"realm": "r", "qop": "auth,auth-int", "nonce": "n"}),
                _bearer(realm="x"),
            ],
        ),
        (', , Bearer realm="x",, service="y",', [_bearer(realm="x", service="y")]),
        ('  Bearer\trealm="x"', [_bearer(realm="x")]),
        ('Bearer realm="x" service="y"', [_bearer(realm="x", service="y")]),
        ('Bearer realm="unterminated', [_bearer(realm="")]),
        ("", []),
        (" , ", []),
        ('="x"', []),
        ('"Bearer" realm="x"', []),
        ("Bearer; realm=x", []),
    ],
)
def test_a_header_is_read_challenge_by_challenge(header: str, expected: list[Challenge]) -> None:
    assert list(parse_challenges([header])) == expected


def test_several_headers_are_read_one_after_another() -> None:
    headers = ["???", 'Basic realm="r"', 'Negotiate, Bearer realm="x"']
    assert [challenge.scheme for challenge in parse_challenges(headers)] == [
        "basic",
        "negotiate",
        "bearer",
    ]


_TOKENS = st.text("!#$%&'*+.^_`|~-09AZaz", min_size=1, max_size=8)
_QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
_CHALLENGES = st.builds(
    lambda scheme, parameters: Challenge(scheme.lower(), parameters),
    _TOKENS,
    st.dictionaries(_TOKENS.map(str.lower), _QUOTED, max_size=4),
)


def _written(challenge: Challenge) -> str:
    parameters = ", ".join(
        f'{name}="{value}"'
        for name, value in (
            (name, value.replace("\\", "\\\\").replace('"', '\\"'))
            for name, value in challenge.parameters.items()
        )
    )
    return f"{challenge.scheme} {parameters}".strip()


@given(st.lists(_CHALLENGES, max_size=4))
def test_challenges_read_back_the_same_in_one_header_or_in_several(
    challenges: list[Challenge],
) -> None:
    written = [_written(challenge) for challenge in challenges]
    assert list(parse_challenges(written)) == challenges
    assert list(parse_challenges([", ".join(written)])) == challenges


@given(st.lists(st.one_of(st.text(), st.text('Bearer realm="x",=\\ \t')), max_size=3))
@example(['Bearer realm="' + "\\" * 10_001])
@example(["Bearer " + "=" * 10_000])
@example(["a " * 5_000])
def test_arbitrary_headers_are_read_without_an_error(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert all(name == name.lower() != "" for name in challenge.parameters)
    choose_challenge(parse_challenges(headers))


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="r", Bearer realm="x"', "bearer"),
        ('Bearer realm="x", Basic realm="r"', "bearer"),
        ('Bearer service="y", Basic realm="r"', "basic"),
        ('Bearer realm="", Basic', "basic"),
        ('Bearer service="y", Bearer realm="x"', "bearer"),
        ('Negotiate, Digest realm="d", Basic realm="r"', "basic"),
    ],
)
def test_bearer_with_a_realm_is_preferred_then_basic(header: str, scheme: str) -> None:
    chosen = choose_challenge(parse_challenges([header]))
    assert chosen is not None
    assert chosen.scheme == scheme
    assert scheme == "basic" or chosen.parameters["realm"] == "x"


@pytest.mark.parametrize("header", ["", "Negotiate", 'Bearer service="y"', 'Digest realm="d"'])
def test_nothing_is_chosen_where_nothing_can_be_answered(header: str) -> None:
    assert choose_challenge(parse_challenges([header])) is None


_RESOURCES = st.sampled_from(
    ["repository:a", "repository:team/b", "repository:reg.example:5000/c", "registry:catalog"]
)
_ACTIONS = st.lists(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1, unique=True)
_SCOPES = st.lists(st.builds(Scope, _RESOURCES, _ACTIONS.map(tuple)), max_size=6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:a:pull", [Scope("repository:a", ("pull",))]),
        ("repository:a:pull,push", [Scope("repository:a", ("pull", "push"))]),
        (
            "repository:a:pull,push  repository:b:pull",
            [Scope("repository:a", ("pull", "push")), Scope("repository:b", ("pull",))],
        ),
        (
            "repository:reg.example:5000/team/app:pull",
            [Scope("repository:reg.example:5000/team/app", ("pull",))],
        ),
        ("registry:catalog:*", [Scope("registry:catalog", ("*",))]),
        ("repository(plugin):a/b:pull", [Scope("repository(plugin):a/b", ("pull",))]),
        ("repository:a:pull,,pull,", [Scope("repository:a", ("pull",))]),
        ("repository:a:", []),
        ("repository:a", []),
        ("pull", []),
        (":pull", []),
        ("", []),
        ("aws broken: repository:a:pull", [Scope("repository:a", ("pull",))]),
    ],
)
def test_scopes_are_divided_by_spaces_and_actions_follow_the_last_colon(
    text: str, expected: list[Scope]
) -> None:
    assert list(parse_scopes(text)) == expected


@given(_SCOPES)
def test_scopes_read_back_the_same(scopes: list[Scope]) -> None:
    assert list(parse_scopes(" ".join(map(str, scopes)))) == scopes


@given(st.text())
def test_arbitrary_text_is_read_as_scopes_without_an_error(text: str) -> None:
    for scope in parse_scopes(text):
        assert parse_scopes(str(scope)) == (scope,)


_OWN = [pull_push("team/app"), pull("team/app-amd64"), pull("single")]


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("repository:team/app:pull,push", "repository:team/app:pull,push"),
        ("repository:team/app-amd64:pull", "repository:team/app-amd64:pull"),
        # The registry's own names for the run's repositories.
        ("repository(plugin):team/app:pull", "repository(plugin):team/app:pull"),
        ("repository:reg.example:5000/team/app:pull", "repository:reg.example:5000/team/app:pull"),
        ("repository:reg.example/single:pull", "repository:reg.example/single:pull"),
        ("repository:library/single:pull", "repository:library/single:pull"),
        ("repository:project/mirror/team/app:pull", "repository:project/mirror/team/app:pull"),
        ("repository:Team/App:pull", "repository:Team/App:pull"),
        # What is the run's, and more.
        ("repository:team/app:pull,push,delete", "repository:team/app:pull,push"),
        ("repository:team/app:*,pull", "repository:team/app:pull"),
        ("repository:team/app:pull,metadata_read", "repository:team/app:pull"),
        ("repository:victim/x:pull repository:team/app:pull", "repository:team/app:pull"),
        # What is not the run's.
        ("repository:victim/secret:pull", ""),
        ("repository:victim/app:pull,push", ""),
        ("repository:victim/single:pull", ""),
        ("repository:evil-team/app:pull", ""),
        ("repository:team/app/x:pull", ""),
        ("repository:app:pull", ""),
        ("repository:*:pull", ""),
        ("repository:team/*:pull", ""),
        ("repository::pull", ""),
        ("repository:team/app:delete", ""),
        ("repository:team/app:*", ""),
        ("registry:catalog:*", ""),
        ("registry:team/app:pull", ""),
        ("keppel_account:team/app:pull", ""),
        ("repository(evil)x:team/app:pull", ""),
        ("repositoryx:team/app:pull", ""),
        ("aws", ""),
        ("*", ""),
        ("", ""),
    ],
)
def test_a_challenge_gets_the_run_s_repositories_asked_for_to_pull_and_push_and_no_more(
    asked: str, kept: str
) -> None:
    scopes = own_scopes(parse_scopes(asked), _OWN, "reg.example:5000")
    assert " ".join(map(str, scopes)) == kept


def test_a_part_of_a_path_is_kept_where_a_proxy_stands_before_a_registry() -> None:
    asked = parse_scopes("repository:team/app:pull")
    assert own_scopes(asked, [pull("docker-local/team/app")], "reg.example") == list(asked)


def test_deleting_is_asked_for_only_to_cancel_an_upload_and_only_where_it_is_wanted() -> None:
    asked = parse_scopes("repository:team/app:delete repository:team/app-amd64:delete")
    own = [*_OWN, cancel_upload("team/app")]
    assert list(map(str, own_scopes(asked, own, "reg.example"))) == ["repository:team/app:delete"]
    assert str(cancel_upload("team/app")) == "repository:team/app:pull,push"


@given(st.text(), st.text())
def test_arbitrary_scopes_come_to_nothing_but_pull_and_push(text: str, registry: str) -> None:
    for scope in own_scopes(parse_scopes(text), _OWN, registry):
        assert set(scope.actions) <= {"pull", "push"}


def _needs(scopes: tuple[Scope, ...] | list[Scope]) -> set[tuple[str, str]]:
    return {(scope.resource, action) for scope in scopes for action in scope.actions}


@given(_SCOPES)
def test_merging_keeps_every_need_names_each_resource_once_and_merges_no_further(
    scopes: list[Scope],
) -> None:
    merged = merge_scopes(scopes)
    assert _needs(merged) == _needs(scopes)
    assert len({scope.resource for scope in merged}) == len(merged)
    assert merge_scopes(merged) == merged


@given(_SCOPES)
def test_merged_scopes_that_push_come_first(scopes: list[Scope]) -> None:
    pushes = ["push" in scope.actions for scope in merge_scopes(scopes)]
    assert pushes == sorted(pushes, reverse=True)


def test_a_pull_does_not_hide_the_push_of_its_repository() -> None:
    scopes = [pull("team/a"), pull_push("team/app"), pull("team/app")]
    assert [str(scope) for scope in merge_scopes(scopes)] == [
        "repository:team/app:pull,push",
        "repository:team/a:pull",
    ]


def _token(**fields: Any) -> Token:
    return parse_token(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"token": "a"}, "a"),
        ({"access_token": "b"}, "b"),
        ({"token": "a", "access_token": "b"}, "b"),
        ({"token": "a", "access_token": ""}, "a"),
        ({"token": "a", "access_token": None}, "a"),
        ({"token": "a", "issued_at": 5, "other": []}, "a"),
    ],
)
def test_the_access_token_is_preferred(fields: dict[str, Any], value: str) -> None:
    assert _token(**fields).value == value


@pytest.mark.parametrize(
    ("said", "life"),
    [
        (300, 300.0),
        (300.5, 300.5),
        (0.5, 0.5),
        ("300", 300.0),
        (30, 30.0),
        (None, DEFAULT_LIFE),
        (0, DEFAULT_LIFE),
        (-5, DEFAULT_LIFE),
        ("soon", DEFAULT_LIFE),
        ([300], DEFAULT_LIFE),
        (float("nan"), DEFAULT_LIFE),
        (float("inf"), DEFAULT_LIFE),
        (10**400, DEFAULT_LIFE),
    ],
)
def test_a_token_lives_as_long_as_it_says_if_that_makes_sense(said: object, life: float) -> None:
    assert _token(token="a", expires_in=said).life == life
    assert _token(token="a").life == 60.0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>",
        b'{"token":""}',
        b'{"token":null}',
        b'{"token":5}',
        b'{"token":["a"]}',
        b'{"token":"a b"}',
        b'{"token":"a\\r\\nX-Evil: 1"}',
        b'{"token":"\\u00e9"}',
        b'{"refresh_token":"a"}',
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_usable_token_is_refused(content: bytes) -> None:
    with pytest.raises(TransportError, match="holds no token"):
        parse_token(content)


@given(
    st.one_of(
        st.binary(),
        st.dictionaries(
            st.sampled_from(["token", "access_token", "expires_in"]),
            st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.integers())),
        ).map(lambda fields: json.dumps(fields).encode()),
    )
)
def test_an_arbitrary_answer_is_a_token_or_a_transport_error(content: bytes) -> None:
    with contextlib.suppress(TransportError):
        token = parse_token(content)
        assert token.value.isascii()
        assert 0 < token.life < float("inf")


def test_a_token_is_kept_out_of_repr_and_of_errors() -> None:
    assert "s3cret" not in repr(_token(token="s3cret"))
    with pytest.raises(TransportError) as caught:
        _token(token="s3cret with a space")
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
