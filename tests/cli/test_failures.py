"""What goes wrong is said in a sentence and a hint, as text or JSON, and never as a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.server import ADDRESS
from oci_merge import Event
from oci_merge_cli.commands import inspect as inspect_command
from oci_merge_cli.output.lines import Lines
from tests.cli.running import PROGRAM, Outcome, Program, run_process

INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
DIGEST = "sha256:" + "0" * 64


class Answers(Hook):
    """Answers what a test wants in the registry's place.

    Args:
        method: the method of the requests to answer.
        part: what is in their path.
        answer: the answer.
    """

    def __init__(self, method: str, part: str, answer: Response) -> None:
        self._method, self._part, self._answer = method, part, answer

    async def before(self, request: Request) -> Response | None:
        fits = request.method == self._method and self._part in request.url.path
        return self._answer if fits else None


def assert_is_one_error(outcome: Outcome) -> None:
    """Check that a run failed in good order, perhaps after some retries."""
    assert outcome.status == 1
    assert outcome.stdout == ""
    errors = [line for line in outcome.errors if line.startswith("error: ")]
    others = [
        line
        for line in outcome.errors
        if not line.startswith(("error: ", "hint: ")) and "; trying GET /v2/" not in line
    ]
    assert len(errors) == 1
    assert not errors[0].startswith("error: an internal error")
    assert others == []


def test_json_of_a_registrys_refusal_has_status_and_codes(program: Program, host: str) -> None:
    outcome = program("inspect", "--output", "json", f"{host}/team/none:1.0")
    document = json.loads(outcome.stdout)
    assert outcome.status == 1
    assert document["kind"] == "NotFoundError"
    assert document["status"] == 404
    assert document["codes"] == ["MANIFEST_UNKNOWN"]
    assert outcome.errors == [f"error: {document['message']}", f"hint: {document['hint']}"]


def test_json_of_a_refused_mount_has_the_digests(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.settings.refuse_mounts = True
    outcome = program(*merge_arguments, "--output", "json")
    document = json.loads(outcome.stdout)
    assert outcome.status == 1
    assert document["kind"] == "MountRefusedError"
    assert document["digests"]
    assert all(digest.startswith("sha256:") for digest in document["digests"])
    assert registry.open_uploads == []


def test_json_of_a_half_done_merge_has_the_moved_and_the_failed_tags(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.hooks.append(Answers("PUT", "/manifests/latest", Response(status_code=403)))
    outcome = program(*merge_arguments, "--tags", "latest", "--output", "json")
    document = json.loads(outcome.stdout)
    assert outcome.status == 1
    assert document["kind"] == "PublishError"
    assert document["moved"] == ["1.0"]
    assert document["failed"] == ["latest"]


def test_json_of_wrong_usage_is_an_object_too(program: Program) -> None:
    outcome = program("--source", "a", "--target", "a", "--output", "json")
    document = json.loads(outcome.stdout)
    assert outcome.status == 2
    assert set(document) == {"kind", "message", "hint", "error"}
    assert document["kind"] == "InvalidReferenceError"


GARBAGE: list[tuple[int, str, bytes]] = [
    (200, IMAGE, b""),
    (200, IMAGE, b"null"),
    (200, IMAGE, b"[]"),
    (200, IMAGE, b"{"),
    (200, IMAGE, b"\x00\xff\xfe"),
    (200, IMAGE, b"[" * 100_000),
    (200, IMAGE, b'{"schemaVersion": 2}'),
    (200, IMAGE, b'{"schemaVersion": 1e999, "config": [], "layers": 3}'),
    (200, "text/html", b"<html>Log in</html>"),
    (200, "", b"{}"),
    (200, INDEX, b'{"schemaVersion": 2, "manifests": {}}'),
    (200, INDEX, b'{"schemaVersion": 2, "manifests": [null]}'),
    (200, INDEX, b'{"schemaVersion": 2, "manifests": [{"digest": "x", "size": -1}]}'),
    (
        200,
        INDEX,
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": [{"mediaType": INDEX, "digest": DIGEST, "size": 2}],
            }
        ).encode(),
    ),
    (
        200,
        IMAGE,
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": IMAGE,
                "config": {"mediaType": CONFIG, "digest": DIGEST, "size": 2},
                "layers": [{"mediaType": "\x1b[31m", "digest": "../..", "size": "many"}],
            }
        ).encode(),
    ),
    (204, IMAGE, b""),
    (302, "", b""),
    (400, "application/json", b'{"errors": [{"code": 3, "message": {}}]}'),
    (401, "application/json", b""),
    (403, "text/html", b"\x1b[2J<html>"),
    (418, "", b""),
    (500, "application/json", b'{"errors": "\\u001b[2J"}'),
    (599, "", b"\xff"),
]


@pytest.mark.parametrize("method", ["inspect", "raw", "merge", "push"])
@pytest.mark.parametrize(("status", "media_type", "body"), GARBAGE)
def test_a_garbage_manifest_is_one_error(
    program: Program,
    registry: EmbeddedRegistry,
    host: str,
    method: str,
    status: int,
    media_type: str,
    body: bytes,
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = Response(body, status_code=status, headers=headers)
    registry.hooks.append(Answers("GET", "/manifests/", answer))
    reference = f"{host}/team/img-amd64:1.0"
    arguments = {
        "inspect": ["inspect", reference],
        "raw": ["inspect", "--raw", "--expand-config", reference],
        "merge": ["--source", reference, "--target", f"{host}/team/img:1.0"],
        "push": [
            *("push", "from-args", "--platforms", "linux/amd64"),
            *("--template", reference, "--target", f"{host}/team/img:1.0"),
        ],
    }
    outcome = program(*arguments[method])
    assert_is_one_error(outcome)
    assert "\x1b" not in outcome.stderr


@pytest.mark.parametrize("body", [b"", b"null", b"{", b"\xff", b"[" * 100_000, b'{"os": 1}'])
def test_a_garbage_config_is_one_error(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], body: bytes
) -> None:
    registry.hooks.append(Answers("GET", "/blobs/", Response(body)))
    assert_is_one_error(program(*merge_arguments))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\n\n\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 302 Found\r\nLocation: ftp://[::bad\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="\xff"\r\nContent-Length: 0\r\n\r\n',
    ],
)
def test_a_garbage_reply_is_one_error(program: Program, reply: bytes) -> None:
    with _speaking(reply) as host:
        assert_is_one_error(program("--plain-http", "inspect", f"{host}/team/img:1.0"))


def test_a_registry_that_is_not_there_is_one_error(program: Program) -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        host = f"{ADDRESS}:{server.getsockname()[1]}"
    assert_is_one_error(program("--plain-http", "inspect", f"{host}/team/img:1.0"))


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the library: looking anything up is a TypeError."""

    async def inspect_async(reference: str, **access: Any) -> None:
        raise TypeError("one\n\x1b[31mtwo")

    monkeypatch.setattr(inspect_command, "inspect_async", inspect_async)


@pytest.mark.usefixtures("faulty")
def test_a_bug_is_called_a_bug_and_asked_to_be_reported(program: Program) -> None:
    outcome = program("inspect", "reg.example/a:1")
    assert outcome.status == 1
    assert outcome.errors == [
        "error: an internal error: TypeError: one\\n\\x1b[31mtwo",
        "hint: this is a bug in oci-merge: please report it, with what --debug prints",
    ]


@pytest.mark.usefixtures("faulty")
def test_a_bug_shows_its_traceback_under_debug(program: Program) -> None:
    outcome = program("inspect", "--debug", "reg.example/a:1")
    assert outcome.status == 1
    assert outcome.errors[0] == "Traceback (most recent call last):"
    assert any(", in inspect_async" in line for line in outcome.errors)
    assert outcome.errors[-2].startswith("error: an internal error: TypeError: one")


@pytest.mark.usefixtures("faulty")
def test_a_bug_is_an_object_as_json(program: Program) -> None:
    outcome = program("inspect", "--output", "json", "reg.example/a:1")
    assert json.loads(outcome.stdout)["kind"] == "TypeError"


def test_a_bug_amid_a_request_is_neither_retried_nor_called_an_outage(
    program: Program, registry: EmbeddedRegistry, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(lines: Lines, event: Event) -> None:
        raise TypeError(f"cannot show {type(event).__name__}")

    monkeypatch.setattr(Lines, "show", show)
    registry.hooks.append(Answers("GET", "/manifests/", Response(status_code=503)))
    outcome = program("inspect", f"{host}/team/img-amd64:1.0")
    assert outcome.status == 1
    assert outcome.errors[0] == "error: an internal error: TypeError: cannot show Retrying"
    assert len(registry.requests) == 1


def test_a_bug_amid_a_merge_is_one_error_of_its_own(
    program: Program, merge_arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(lines: Lines, event: Event) -> None:
        raise TypeError("cannot show it")

    monkeypatch.setattr(Lines, "show", show)
    outcome = program(*merge_arguments)
    assert outcome.status == 1
    assert outcome.errors[0] == "error: an internal error: TypeError: cannot show it"
    assert len(outcome.errors) == 2


def test_a_run_that_no_signal_cancelled_is_a_bug(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def inspect_async(reference: str, **access: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(inspect_command, "inspect_async", inspect_async)
    outcome = program("inspect", "reg.example/a:1")
    assert outcome.status == 1
    assert outcome.errors[0] == (
        "error: an internal error: RuntimeError: the run was cancelled without a signal"
    )


@pytest.mark.parametrize("debug", [False, True])
def test_an_installation_that_is_broken_is_one_error(debug: bool) -> None:
    code = """
import sys
sys.modules["typer"] = None
from oci_merge_cli.__main__ import main
sys.argv[:] = ["oci-merge", *sys.argv[1:]]
main()
"""
    command = [PROGRAM[0], "-c", code, *(["--debug"] if debug else []), "inspect", "a:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    *trace, error, hint = done.stderr.splitlines()
    assert error.startswith("error: an internal error: ModuleNotFoundError: ")
    assert hint.startswith("hint: ")
    assert bool(trace) == debug


@pytest.mark.parametrize("arguments", [["inspect"], ["--help"], ["--version"]])
def test_a_reader_of_stdout_that_has_gone_is_no_traceback(host: str, arguments: list[str]) -> None:
    if arguments == ["inspect"]:
        arguments = ["inspect", f"{host}/team/img-amd64:1.0"]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [["inspect"], ["--help"], ["--version"]])
def test_a_stdout_that_is_full_is_one_error(host: str, arguments: list[str]) -> None:
    if arguments == ["inspect"]:
        arguments = ["inspect", f"{host}/team/img-amd64:1.0"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"error: stdout cannot be written: No space left on device\n"


def test_a_stderr_that_nobody_reads_stops_no_merge(
    registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*PROGRAM, *merge_arguments], stdout=subprocess.PIPE, stderr=writing)
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert done.stdout.startswith(b"Digest: sha256:")
    assert "1.0" in registry.storage.repositories["team/img"].tags


def test_closed_standard_streams_are_no_traceback(host: str) -> None:
    shell = '"$0" -m oci_merge_cli inspect "$1" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, PROGRAM[0], f"{host}/team/img-amd64:1.0"])
    assert done.returncode == 1


def test_a_password_that_is_not_text_is_no_traceback(host: str) -> None:
    outcome = run_process(
        *("--username", "u", "--password-stdin", "inspect", f"{host}/team/img-amd64:1.0"),
        stdin=b"\xff\xfe",
    )
    assert outcome.status == 1
    assert outcome.errors == [
        "error: the password on stdin is not UTF-8 text",
        "hint: write it to stdin as UTF-8 text",
    ]


@contextmanager
def _speaking(reply: bytes) -> Iterator[str]:
    """Serve something that answers every connection with the same bytes."""
    with socket.create_server((ADDRESS, 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"{ADDRESS}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_wrong_option_is_an_object_too_where_json_is_asked_for() -> None:
    outcome = run_process("--output", "json", "--source", "a:1", "--target", "a:2", "--format", "x")
    assert outcome.status == 2
    assert json.loads(outcome.stdout)["message"]
