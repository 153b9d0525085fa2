"""The provenance of a merge: what it states, and which statement is one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge import __version__
from oci_merge.trust import bundle
from oci_merge.trust.provenance import (
    BUILD_TYPE,
    PREDICATE_TYPE,
    ProvenanceSource,
    is_of_merge,
    job_url,
    provenance,
)
from tests.unit.trust.documents import HEX, OTHER, SIGNED, statement

_SOURCES = [
    ProvenanceSource("reg.example/app-amd64:1.0", f"sha256:{HEX}", ("linux/amd64",)),
    ProvenanceSource("reg.example/app-arm:1.0", "sha512:" + "1" * 128, ("linux/arm/v7",)),
]
_GITLAB = {"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/team/app/-/jobs/1"}
_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/app",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
}
_MADE = bundle.statement(
    SIGNED, PREDICATE_TYPE, provenance("reg.example/app", _SOURCES), "reg.example/app"
)


def _built(build_type: object) -> dict[str, object]:
    return {"buildDefinition": {"buildType": build_type}}


def test_it_states_what_the_index_was_made_of() -> None:
    assert provenance("reg.example/app", _SOURCES, job_url(_GITLAB)) == {
        "buildDefinition": {
            "buildType": "urn:oci-merge:merge:v1",
            "externalParameters": {
                "target": "reg.example/app",
                "sources": ["reg.example/app-amd64:1.0", "reg.example/app-arm:1.0"],
            },
            "resolvedDependencies": [
                {
                    "uri": "oci://reg.example/app-amd64:1.0",
                    "digest": {"sha256": HEX},
                    "annotations": {"platforms": ["linux/amd64"]},
                },
                {
                    "uri": "oci://reg.example/app-arm:1.0",
                    "digest": {"sha512": "1" * 128},
                    "annotations": {"platforms": ["linux/arm/v7"]},
                },
            ],
        },
        "runDetails": {
            "builder": {"id": "urn:oci-merge", "version": {"oci-merge": __version__}},
            "metadata": {"invocationId": "https://gitlab.example/team/app/-/jobs/1"},
        },
    }


def test_outside_of_ci_it_names_no_job() -> None:
    assert set(provenance("reg.example/app", _SOURCES)["runDetails"]) == {"builder"}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        (_GITLAB, "https://gitlab.example/team/app/-/jobs/1"),
        (_GITHUB, "https://github.example/team/app/actions/runs/7/attempts/2"),
        ({"GITLAB_CI": "true"}, ""),
        ({"CI_JOB_URL": "https://gitlab.example"}, ""),
        (_GITHUB | {"GITHUB_ACTIONS": "false"}, ""),
        (_GITHUB | {"GITHUB_RUN_ID": ""}, ""),
        ({"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/\udcff"}, ""),
        ({"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/\n"}, ""),
    ],
)
def test_the_job_is_known_in_gitlab_and_github(environ: Mapping[str, str], url: str) -> None:
    assert job_url(environ) == url


@given(st.text(st.characters(exclude_categories=())))
def test_any_environment_can_be_stated(url: str) -> None:
    environ = {"GITLAB_CI": "true", "CI_JOB_URL": url}
    made = bundle.statement(
        SIGNED, PREDICATE_TYPE, provenance("reg.example/app", [], job_url(environ))
    )
    assert is_of_merge(made, SIGNED.digest)


def test_a_rerun_states_the_same() -> None:
    first, second = (provenance("reg.example/app", _SOURCES, job_url(_GITHUB)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_ours_is_known_again_for_its_index_alone() -> None:
    assert is_of_merge(_MADE, SIGNED.digest)
    assert not is_of_merge(_MADE, OTHER)


@pytest.mark.parametrize(
    "payload",
    [
        statement(),
        statement(predicateType=PREDICATE_TYPE),
        statement(predicateType=PREDICATE_TYPE, predicate=_built("https://example.com/build")),
        statement(predicateType=PREDICATE_TYPE, predicate=_built([BUILD_TYPE])),
        statement(predicateType=PREDICATE_TYPE, predicate={"buildDefinition": BUILD_TYPE}),
        statement(predicateType=PREDICATE_TYPE, predicate=[BUILD_TYPE]),
        statement(predicateType=PREDICATE_TYPE, predicate=_built(BUILD_TYPE), subject=[]),
        statement(predicate=_built(BUILD_TYPE)),
        _MADE[:-1],
        _MADE * 2,
        _MADE.replace(b'"buildType":', b'"buildType":"x","buildType":'),
        b"",
    ],
)
def test_another_statement_is_none_of_ours(payload: bytes) -> None:
    assert not is_of_merge(payload, SIGNED.digest)
