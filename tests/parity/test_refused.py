"""What is wrong with a command line is said before the first request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from tests.parity.cases import TARGET, Case, check, from_args

TWO = "linux/amd64,linux/arm64", "team/app-ARCH:1.0"

BEFORE_ANY_REQUEST = [
    Case(
        name="a target without a tag",
        source="observed",
        there="nothing is tagged, and the exit status is 0",
        relation="better",
        argv=from_args(*TWO, target=TARGET),
        says=("has no tag", f"{TARGET}:latest"),
    ),
    Case(
        name="a target with a digest",
        source="observed",
        there="it is published under another digest, and the exit status is 0",
        relation="better",
        argv=from_args(*TWO, target=f"{TARGET}@sha256:{'0' * 64}"),
        says=("has a digest",),
    ),
    Case(
        name="a target that is no reference",
        source="code",
        there="it is refused",
        argv=from_args(*TWO, target="Team/out:1.0"),
        says=("a repository name is lower case",),
    ),
    Case(
        name="an annotation without a value",
        source="observed",
        there="it is refused",
        argv=from_args(*TWO, "--type", "oci", "--annotations", "a"),
        says=("'a' is not of the form key=value",),
    ),
    Case(
        name="an annotation without a key",
        source="code",
        there="an empty key is published",
        relation="better",
        argv=from_args(*TWO, "--type", "oci", "--annotations", "=b"),
        says=("is not of the form key=value",),
    ),
    Case(
        name="annotations of a Docker list",
        source="observed",
        there="they are refused before any request",
        argv=from_args(*TWO, "--annotations", "a=b"),
        says=("cannot carry annotations", "--type oci"),
    ),
    *(
        Case(
            name=f"{what} as a tag",
            source="observed",
            there="it fails when the target is published already",
            relation="better",
            argv=from_args(*TWO, "--tags", f"latest,{tag}"),
            says=(f"'{tag}' is not a tag",),
        )
        for what, tag in (
            ("words", "not a tag"),
            ("a dash and a letter", "-x"),
            ("a reference", "a/b:c"),
            ("nothing", ""),
            ("129 letters", "x" * 129),
        )
    ),
    Case(
        name="an option that took the next one for its value",
        source="code",
        there="the flag is the value, and the next word ends the flags",
        relation="better",
        argv="push from-args --platforms linux/amd64 --template $REG/team/app-ARCH:1.0 "
        "--tags --target $REG/team/out:1.0",
        says=("--tags has no value: --target follows it",),
    ),
    Case(
        name="a list with a space",
        source="code",
        there="the rest of the list ends the flags",
        relation="better",
        argv="push from-args --template $REG/team/app-ARCH:1.0 --target $REG/team/out:1.0 "
        "--platforms linux/amd64, linux/arm64",
        says=("the list of --platforms has a space in it", "linux/amd64,linux/arm64"),
    ),
    Case(
        name="a component of another registry",
        source="observed",
        there="it says that the registries do not match",
        relation="better",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG/team/app", "r.example/a"),
        says=("is in the registry r.example", "push the image there first"),
    ),
    Case(
        name="a component of Docker Hub by its short name",
        source="code",
        there="a name without a registry is Docker Hub's",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG/team/app", "app"),
        says=("is in the registry docker.io",),
    ),
]


@pytest.mark.parametrize("case", BEFORE_ANY_REQUEST, ids=str)
def test_refused(case: Case, registry: EmbeddedRegistry, host: str, tmp_path: Path) -> None:
    check(replace(case, exit=1, requests=0), registry, host, tmp_path)
