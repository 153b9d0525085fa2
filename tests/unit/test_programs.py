"""Programs that are found, run and ended; those of credential helpers show the rest."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from oci_merge._programs import Program, Stop, find_program
from oci_merge.errors import OciMergeError, UsageError


def _program(*, time_limit: float = 60.0, **environ: str) -> Program:
    path = find_program("sh", "/usr/bin:/bin")
    assert path is not None
    return Program(
        path=path, name="the shell", environ=environ, time_limit=time_limit, error=UsageError
    )


def test_a_program_reads_its_input_and_runs_in_its_environment() -> None:
    script = 'cat; printf "%s" "$NAME"; echo no >&2; exit 3'
    outcome = _program(NAME="value", PATH="/usr/bin:/bin").run(
        ["-c", script], b"input ", stop=Stop()
    )
    assert outcome == (3, b"input value", b"no\n")


def test_a_program_does_not_show_its_environment() -> None:
    assert "s3cret" not in repr(_program(TOKEN="s3cret"))


def test_errors_are_of_the_callers_class() -> None:
    with pytest.raises(UsageError, match=r"the shell did not answer within 0\.1 seconds"):
        _program(time_limit=0.1, PATH="/usr/bin:/bin").run(
            ["-c", "exec sleep 60"], b"", stop=Stop()
        )


def test_a_stop_ends_all_programs_and_lets_none_begin(tmp_path: Path) -> None:
    stop, messages = Stop(), []

    def run(number: int) -> None:
        script = f": > {tmp_path}/{number}; exec sleep 60"
        try:
            _program(PATH="/usr/bin:/bin").run(["-c", script], b"", stop=stop)
        except OciMergeError as error:
            messages.append(error.message)

    running = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in running:
        thread.start()
    while len(list(tmp_path.iterdir())) < 3:
        time.sleep(0.005)
    began = time.monotonic()
    stop.end()
    for thread in running:
        thread.join()
    assert time.monotonic() - began < 30
    run(3)
    assert messages == ["the shell was ended with the run"] * 4
    assert not (tmp_path / "3").exists()
