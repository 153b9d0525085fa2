"""Options of the network on the command line, and what stderr says of retries."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import EmbeddedRegistry, Hook
from tests.cli.running import Program, run_on_terminal


class Busy(Hook):
    """Answers 503 to the first requests of a method.

    Args:
        method: the method.
        times: how many.
    """

    def __init__(self, method: str, times: int) -> None:
        self._method, self._left = method, times

    async def before(self, request: Request) -> Response | None:
        if request.method != self._method or not self._left:
            return None
        self._left -= 1
        return Response(status_code=503)


@pytest.fixture
def silent() -> Iterator[str]:
    """The authority of a registry that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_retry_is_a_line_on_stderr(
    program: Program, registry: EmbeddedRegistry, host: str, merge_arguments: list[str]
) -> None:
    registry.hooks.append(Busy("POST", 1))
    outcome = program(*merge_arguments)
    assert outcome.status == 0
    (line,) = [line for line in outcome.errors if "again" in line]
    said = rf"{host} answered 503 Service Unavailable; trying POST /v2/\S+ again in \d\.\d s"
    assert re.fullmatch(said, line)


def test_quiet_runs_do_not_speak_of_retries(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    registry.hooks.append(Busy("PUT", 1))
    outcome = program(*merge_arguments, "--quiet")
    assert (outcome.status, outcome.stderr) == (0, "")


def test_a_terminal_shows_retries_above_its_bars(
    registry: EmbeddedRegistry, host: str, merge_arguments: list[str]
) -> None:
    registry.hooks.append(Busy("POST", 1))
    outcome = run_on_terminal(*merge_arguments)
    assert outcome.status == 0
    assert f"{host} answered 503 Service Unavailable; trying POST " in outcome.stderr


def test_inspect_speaks_of_retries_on_stderr(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    registry.hooks.append(Busy("GET", 2))
    outcome = program("inspect", "--output", "json", f"{host}/team/img-amd64:1.0")
    assert outcome.status == 0
    assert json.loads(outcome.stdout)
    assert len(outcome.errors) == 2


@pytest.mark.parametrize("before", [True, False])
def test_no_retries_may_be_asked_for_before_and_after_the_word(
    program: Program, registry: EmbeddedRegistry, host: str, before: bool
) -> None:
    registry.hooks.append(Busy("GET", 1))
    words, option = ["inspect", f"{host}/team/img-amd64:1.0"], ["--retries", "0"]
    outcome = program(*option, *words) if before else program(*words, *option)
    assert outcome.status == 1
    assert len(registry.requests) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_push_takes_the_options_at_every_place_and_speaks_of_retries(
    program: Program, registry: EmbeddedRegistry, host: str, place: int
) -> None:
    registry.hooks.append(Busy("PUT", 2))
    words = ["push", "from-args", "--platforms", "linux/amd64"]
    words[place:place] = ["--retries", "2"]
    outcome = program(
        *words, "--template", f"{host}/team/img-ARCH:1.0", "--target", f"{host}/team/img:1.0"
    )
    assert outcome.status == 0
    assert [line for line in outcome.errors if "; trying PUT " not in line] == []
    assert len(outcome.errors) == 2


def test_what_stands_after_the_word_counts_even_where_it_is_zero(
    program: Program, registry: EmbeddedRegistry, host: str
) -> None:
    registry.hooks.append(Busy("GET", 1))
    outcome = program("--retries", "3", "inspect", "--retries", "0", f"{host}/team/img-amd64:1.0")
    assert outcome.status == 1
    assert len(registry.requests) == 1


def test_a_silent_registry_is_given_up_after_the_time_out(program: Program, silent: str) -> None:
    options = ["--plain-http", "--timeout", "0.2", "--retries", "1"]
    outcome = program("inspect", *options, f"{silent}/team/img:1.0")
    assert outcome.status == 1
    assert "did not answer GET /v2/team/img/manifests/1.0 in time; trying" in outcome.errors[0]
    assert outcome.errors[1].startswith(f"error: {silent} did not answer GET ")


def test_a_silent_registry_is_given_up_at_the_deadline(program: Program, silent: str) -> None:
    options = ["--plain-http", "--deadline", "0.3"]
    outcome = program("inspect", *options, f"{silent}/team/img:1.0")
    assert outcome.status == 1
    assert outcome.errors[0].startswith("error: the run did not end within its 0.3 seconds: ")
    assert "--deadline" in outcome.errors[1]


@pytest.mark.parametrize("option", ["--ca-file", "--client-cert"])
def test_a_file_that_is_not_there_is_wrong_usage(program: Program, option: str) -> None:
    outcome = program("--source", "reg.test/a:1", "--target", "reg.test/a:2", option, "/nowhere")
    assert outcome.status == 2
    assert outcome.errors[0].startswith("error: /nowhere cannot be used as ")


def test_a_rate_is_kept_to_and_a_turn_that_comes_too_late_is_not_waited_for(
    program: Program, host: str
) -> None:
    options = ["--plain-http", "--deadline", "0.5", "--rate", "1"]
    outcome = program("inspect", *options, f"{host}/team/img-amd64:1.0")
    assert outcome.status == 1
    assert "its turn to ask" in outcome.errors[0]
    assert program("--rate", "50", "inspect", f"{host}/team/img-amd64:1.0").status == 0


def test_a_rate_of_nothing_is_wrong_usage(program: Program, host: str) -> None:
    outcome = program("--rate", "0", "--source", f"{host}/team/img-amd64:1.0", "--target", "a:1")
    assert outcome.status == 2
    assert outcome.errors[0] == "error: rate must be more than 0 requests a second, got 0"
