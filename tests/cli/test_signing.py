"""The options and commands about signatures and keys."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedRegistry
from oci_merge import generate_key_pair
from tests.cli.running import Program, run_process, run_with_keyboard
from tests.cli.test_output_schema import document_of

_PASSWORD = "correct horse"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of two keys: cosign.key, cosign.pub and other.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("cosign", "other"):
        private, public = generate_key_pair(_PASSWORD.encode())
        (folder / f"{name}.key").write_bytes(private)
        (folder / f"{name}.pub").write_bytes(public)
    return folder


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", _PASSWORD)


def test_a_merge_that_signs_says_how_much_it_has_signed(
    program: Program, merge_arguments: list[str], keys: Path
) -> None:
    outcome = program(*merge_arguments, "--sign-key", str(keys / "cosign.key"))
    assert outcome.status == 0
    assert outcome.stdout.startswith("Digest: sha256:")
    target = merge_arguments[-1].rpartition(":")[0]
    assert outcome.errors == [
        f"4 manifests of {target} signed, 8 signatures new",
        "tag 1.0 moved",
    ]
    again = program(*merge_arguments, "--sign-key", str(keys / "cosign.key"))
    assert again.errors == [
        f"4 manifests of {target} signed, 0 signatures new",
        "tag 1.0 unchanged",
    ]


def test_sign_alone_takes_the_key_in_the_variable_of_cosign(
    program: Program, merge_arguments: list[str], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSIGN_PRIVATE_KEY", (keys / "cosign.key").read_text())
    assert program(*merge_arguments, "--sign").status == 0
    verified = program("verify", "--key", str(keys / "cosign.pub"), merge_arguments[-1])
    assert (verified.status, verified.errors) == (0, [])


def test_sign_without_a_key_sends_no_request(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--sign")
    assert outcome.status == 1
    assert outcome.errors[0] == ("error: env://COSIGN_PRIVATE_KEY names a variable that is not set")
    assert outcome.errors[1].startswith("hint: set COSIGN_PRIVATE_KEY ")
    assert registry.requests == []


def test_a_wrong_password_sends_no_request_and_is_not_shown(
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    keys: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong horse")
    outcome = program(*merge_arguments, "--sign-key", str(keys / "cosign.key"), "--debug")
    assert outcome.status == 1
    assert any("password" in line for line in outcome.errors)
    assert "wrong horse" not in outcome.stderr
    assert registry.requests == []


def test_how_to_sign_without_a_wish_to_is_wrong_usage(
    program: Program, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, "--sign-format", "classic")
    assert outcome.status == 2
    assert outcome.errors == [
        "error: it is said how to sign, but nothing is signed",
        "hint: add --sign, or --sign-key with the private key (sign=True in Python)",
    ]


@pytest.mark.parametrize("option", ["--sign-key", "--verify-key"])
def test_an_empty_key_is_refused_as_it_may_be_an_unset_variable(
    program: Program, merge_arguments: list[str], option: str
) -> None:
    outcome = program(*merge_arguments, option, "")
    assert outcome.status == 2
    assert outcome.errors[0].startswith(f"error: {option} ")


def test_the_push_form_signs_and_writes_the_same_index(
    program: Program, registry: EmbeddedRegistry, host: str, keys: Path
) -> None:
    arguments = [
        *("push", "from-args", "--platforms", "linux/amd64,linux/arm64"),
        *("--template", f"{host}/team/img-ARCH:1.0", "--target", f"{host}/team/pushed:1.0"),
    ]
    plain = program(*arguments)
    signed = program(*arguments, "--sign-key", str(keys / "cosign.key"))
    assert (plain.status, signed.status) == (0, 0)
    assert plain.stdout == signed.stdout
    reference = f"{host}/team/pushed:1.0"
    assert program("verify", "--key", str(keys / "cosign.pub"), reference).status == 0


@pytest.mark.parametrize(
    "change",
    [["remove", "--platform", "linux/arm/v7"], ["annotate", "--annotation", "a=b"]],
    ids=lambda change: change[0],
)
def test_an_index_that_is_changed_is_signed_before_its_tag_moves(
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
    keys: Path,
    change: list[str],
) -> None:
    program(*merge_arguments)
    reference = merge_arguments[-1]
    command, *options = change
    signing = ["--sign-key", str(keys / "cosign.key")]
    changed = program(command, reference, *options, *signing, "--output", "json")
    assert changed.status == 0
    document = document_of(changed.stdout, "result")
    assert {each["outcome"] for each in document["signatures"]} == {"written"}
    assert program("verify", "--key", str(keys / "cosign.pub"), reference).status == 0
    puts = [request.path for request in registry.requests if request.method == "PUT"]
    assert puts[-1].endswith("/manifests/1.0")
    again = program(command, reference, *options, *signing, "--output", "json")
    # What is removed is not there to be removed again; the same annotation is.
    if command == "annotate":
        signatures = document_of(again.stdout, "result")["signatures"]
        assert {each["outcome"] for each in signatures} == {"present"}


def test_images_that_nobody_signed_are_not_joined(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], keys: Path
) -> None:
    outcome = program(*merge_arguments, "--verify-key", str(keys / "cosign.pub"), "-o", "json")
    assert outcome.status == 1
    document = document_of(outcome.stdout, "failure")
    assert document["error"]["code"] == "not_signed"
    assert len(document["error"]["missing"]) == 3
    assert "no signature was found" in outcome.errors[0]
    assert all(request.method in ("GET", "HEAD") for request in registry.requests)


def test_signed_images_are_joined_and_the_result_says_by_which_signatures(
    program: Program, host: str, merge_arguments: list[str], keys: Path
) -> None:
    for name in ("amd64", "arm64", "armv7"):
        image = f"{host}/team/img-{name}:1.0"
        assert program("sign", "--key", str(keys / "cosign.key"), image).status == 0
    outcome = program(*merge_arguments, "--verify-key", str(keys / "cosign.pub"), "-o", "json")
    document = document_of(outcome.stdout, "result")
    assert {each["key"] for each in document["verifiedSignatures"]} == {str(keys / "cosign.pub")}
    assert len(document["verifiedSignatures"]) == 6
    assert document["signatures"] == []


def test_another_key_is_told_from_no_signature(
    program: Program, host: str, merge_arguments: list[str], keys: Path
) -> None:
    program(*merge_arguments, "--sign-key", str(keys / "cosign.key"))
    outcome = program("verify", "--key", str(keys / "other.pub"), merge_arguments[-1])
    assert outcome.status == 1
    assert "it is signed by another key" in outcome.errors[0]
    both = ["--key", str(keys / "other.pub"), "--key", str(keys / "cosign.pub")]
    assert program("verify", *both, merge_arguments[-1]).status == 0


def test_the_json_of_sign_and_of_verify_is_as_the_schema_says(
    program: Program, merge_arguments: list[str], keys: Path
) -> None:
    program(*merge_arguments)
    reference = merge_arguments[-1]
    arguments = ["sign", "--key", str(keys / "cosign.key"), reference, "--output", "json"]
    first = document_of(program(*arguments).stdout, "signed")
    assert (first["changed"], len(first["signatures"])) == (True, 8)
    again = document_of(program(*arguments).stdout, "signed")
    assert again["changed"] is False
    assert {each["outcome"] for each in again["signatures"]} == {"present"}
    verify = ["verify", "--key", str(keys / "cosign.pub"), reference, "--output", "json"]
    found = document_of(program(*verify).stdout, "verification")
    assert (found["manifests"], len(found["signatures"])) == (3, 8)


def test_sign_and_verify_show_where_each_signature_stands(
    program: Program, merge_arguments: list[str], keys: Path
) -> None:
    program(*merge_arguments)
    reference = merge_arguments[-1]
    key = str(keys / "cosign.key")
    signed = program("sign", "--key", key, "--sign-index-only", reference)
    name = reference.rpartition(":")[0]
    rows = [line.split() for line in signed.stdout.splitlines()]
    assert [row[1:3] for row in rows] == [["bundle", "written"], ["classic", "written"]]
    assert [row[3].startswith(name) for row in rows] == [True, True]
    found = program("verify", "--key", str(keys / "cosign.pub"), reference)
    assert " is complete: 3 manifests and " in found.stdout.splitlines()[0]
    # The images have no signature of their own, which podman asks for.
    assert found.errors[0].startswith(f"warning: {reference} is signed, but not each image")
    assert program("verify", "--quiet", "--key", str(keys / "cosign.pub"), reference).errors == []


def test_verify_without_a_key_looks_whether_the_image_is_complete(
    program: Program, merge_arguments: list[str]
) -> None:
    program(*merge_arguments)
    found = program("verify", merge_arguments[-1], "--platforms", "linux/amd64")
    assert found.status == 0
    missing = program("verify", merge_arguments[-1], "--platforms", "linux/s390x")
    assert missing.status == 1
    assert "has no image for linux/s390x" in missing.errors[0]


def test_a_plan_that_would_be_signed_is_not_applied_unsigned(
    program: Program, merge_arguments: list[str], keys: Path, tmp_path: Path
) -> None:
    options = ["--sign-key", str(keys / "cosign.key"), "--dry-run", "--output", "json"]
    plan = tmp_path / "plan.json"
    plan.write_text(program(*merge_arguments, *options).stdout)
    outcome = program("apply", str(plan))
    assert outcome.status == 1
    assert "it was made with --sign" in outcome.errors[0]


def test_a_key_pair_is_written_to_files_that_only_its_owner_may_read(
    program: Program, tmp_path: Path
) -> None:
    prefix = tmp_path / "release"
    outcome = program("generate-key-pair", "--output-key-prefix", str(prefix))
    assert outcome.status == 0
    assert outcome.errors == [
        f"private key written to {prefix}.key",
        f"public key written to {prefix}.pub",
    ]
    assert stat.S_IMODE(os.stat(f"{prefix}.key").st_mode) == 0o600
    text = Path(f"{prefix}.key").read_text()
    assert text.startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    run = ["openssl", "pkey", "-pubin", "-in", f"{prefix}.pub", "-noout", "-text"]
    assert "prime256v1" in subprocess.run(run, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["cosign.key", "cosign.pub"])
def test_no_key_is_overwritten(program: Program, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("kept")
    outcome = program("generate-key-pair", "--output-key-prefix", str(tmp_path / "cosign"))
    assert outcome.status == 1
    assert outcome.errors[0] == f"error: {tmp_path / name} exists already"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "kept"


def test_a_key_pair_without_a_password_is_refused_where_nobody_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD")
    outcome = run_process("generate-key-pair", "--output-key-prefix", str(tmp_path / "cosign"))
    assert outcome.status == 1
    assert outcome.errors[0] == "error: there is no password for the private key"
    assert list(tmp_path.iterdir()) == []


def test_the_password_is_asked_for_on_a_terminal_and_not_shown(
    merge_arguments: list[str], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD")
    arguments = [*merge_arguments, "--sign-key", str(keys / "cosign.key")]
    shown = run_with_keyboard(*arguments, typed=f"{_PASSWORD}\n")
    assert f"Password for {keys / 'cosign.key'}: " in shown
    assert _PASSWORD not in shown
    assert "4 manifests" in shown
