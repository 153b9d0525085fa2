"""Times a job on a machine that has Python and nothing of the tool: from nothing to published.

Before the clock starts, a fresh folder gets what a job would have downloaded: the wheels, the file
or the program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Case, images, order, source_of, target_of
from tests.bench.figures import ColdResult, Footprint
from tests.bench.peers import OCI_MERGE, Command, Tool
from tests.bench.stand import Stand, open_stand
from tests.bench.timing import ROOT, BenchError, Contestant, take_turns

VENV = "venv and pip install"
SINGLE = "the single file"
SHIV = "a single file by shiv"

CASE = Case(False, 0)
"""What is done once the tool is there."""

_PEERS = ("manifest-tool",)
# Taken from PATH before the environment is cleared for each run.
_ENV = shutil.which("env") or "env"


def bare(way: str) -> str:
    """Return what the report calls a way on a Python whose own modules are not compiled."""
    return f"{way}, Python's modules not compiled"


@dataclass(frozen=True)
class _Way:
    """A way to have the tool.

    Args:
        name: what the report calls it.
        key: names its folders and its targets.
        source: the file or folder that a job downloads.
        tool: from the fresh folder to the tool in it, and what has to be run before it.
        compiled: whether there is bytecode of Python's own modules.
    """

    name: str
    key: str
    source: Path
    tool: Callable[[Path], tuple[Sequence[Command], Tool]]
    compiled: bool = True


def measure_cold(
    python: str, peers: Sequence[Tool], *, runs: int, patience: float, say: Callable[[str], None]
) -> ColdResult:
    """Publish an index in every way, in turns, each time from nothing.

    Args:
        python: the interpreter that oci-merge runs on, in an environment that has pip.
        peers: the other tools.
        runs: how many turns are counted.
        patience: the seconds that a way may use up.
        say: told of what is done, a sentence each time.

    Raises:
        BenchError: a command failed, or left something wrong.
    """
    with open_stand(CASE.tls, CASE.rtt) as stand:
        stand.push(
            {source_of(CASE, suffix): image for suffix, image in images(CASE.platforms).items()}
        )
        say("wheels and single files are built")
        ways = list(_ways(stand.work / "downloads", python, peers))
        say(f"from nothing to published: {CASE.title}, {CASE.wire}")
        footprints: dict[str, Footprint] = {}
        samples = take_turns(
            [_contestant(stand, way, footprints) for way in ways],
            stand.run,
            runs=runs,
            patience=patience,
        )
    return ColdResult(samples, footprints)


def _ways(downloads: Path, python: str, peers: Sequence[Tool]) -> Iterator[_Way]:
    for peer in peers:
        if peer.name in _PEERS:
            program = Path(peer.program[0])
            yield _Way(f"{peer.name}'s program", peer.name, program, _program(peer, program.name))
    interpreter = _printed(python, "-I", "-c", "import sys; print(sys._base_executable)")
    wheels = downloads / "wheels"
    _run(python, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels), str(ROOT))
    found = ("--no-index", "--find-links", str(wheels), OCI_MERGE)
    single = _printed(python, "tools/pyz/build.py", "--output", str(downloads), *found)
    shiv = downloads / "shiv.pyz"
    options = ("--compressed", "--compile-pyc", "-c", OCI_MERGE, "-o", str(shiv))
    _run(sys.executable, "-m", "shiv", *options, *found)
    for name, key, source, tool in (
        (SINGLE, "single", Path(single), _archive(interpreter, Path(single).name)),
        (SHIV, "shiv", shiv, _archive(interpreter, shiv.name)),
        (VENV, "venv", wheels, _environment(interpreter)),
    ):
        yield _Way(name, key, source, tool)
        yield _Way(bare(name), f"{key}-bare", source, tool, compiled=False)


def _program(tool: Tool, name: str) -> Callable[[Path], tuple[Sequence[Command], Tool]]:
    return lambda folder: ((), Tool(tool.name, (str(folder / name),), ()))


def _archive(python: str, name: str) -> Callable[[Path], tuple[Sequence[Command], Tool]]:
    return lambda folder: ((), Tool(OCI_MERGE, (python, str(folder / name)), ()))


def _environment(python: str) -> Callable[[Path], tuple[Sequence[Command], Tool]]:
    def tool(folder: Path) -> tuple[Sequence[Command], Tool]:
        programs = folder / "environment" / "bin"
        pip = (str(programs / "python"), "-m", "pip", "--isolated", "--disable-pip-version-check")
        wheels = ("--no-index", "--find-links", str(folder / "wheels"))
        before = (
            (python, "-m", "venv", str(programs.parent)),
            (*pip, "install", "--quiet", *wheels, OCI_MERGE),
        )
        return before, Tool(OCI_MERGE, (str(programs / OCI_MERGE),), ())

    return tool


def _contestant(stand: Stand, way: _Way, footprints: dict[str, Footprint]) -> Contestant:
    def folder_of(turn: int) -> Path:
        return stand.work / "cold" / way.key / str(turn)

    def commands(turn: int) -> list[Command]:
        folder = folder_of(turn)
        (folder / "home").mkdir(parents=True)
        copied = folder / way.source.name
        (shutil.copytree if way.source.is_dir() else shutil.copy)(way.source, copied)
        before, tool = way.tool(folder)
        wanted = order(CASE, stand.host, folder, way.key, turn)
        variables = [f"HOME={folder / 'home'}", f"TMPDIR={folder / 'home'}"]
        if not way.compiled:
            # Where Python then looks for bytecode, and writes it, there is none.
            variables.append(f"PYTHONPYCACHEPREFIX={folder / 'bytecode'}")
        start = (_ENV, "-u", "PYTHONPATH", *variables)
        return [(*start, *words) for words in (*before, *tool.commands(wanted))]

    def check() -> None:
        repository, tags = target_of(CASE, way.key, 0)
        stand.expect([(repository, tag) for tag in tags], CASE.platforms)
        downloaded = _size(way.source)
        # pip needs the wheels until they are installed, and no longer.
        gone = folder_of(0) / "wheels"
        kept = _size(folder_of(0)) - (_size(gone) if gone.is_dir() else 0)
        footprints[way.name] = Footprint(downloaded, kept)

    return Contestant(way.name, commands, check)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file())


def _run(*command: str) -> None:
    _printed(*command)


def _printed(*command: str) -> str:
    """Run a command in the project's folder, and return what it printed."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout.strip()
