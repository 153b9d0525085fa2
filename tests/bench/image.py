"""`python -m tests.bench.image`: what the container image holds, and what it saves a job.

It builds the image by buildah, as root, from Debian's packages that are installed here, and writes
the tables of docs/image.md to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fixtures.containers import Containers, pip_settings
from fixtures.seed import Seeder
from tests.bench.cases import Case, images, order, source_of, target_of
from tests.bench.peers import OCI_MERGE, Command, Tool
from tests.bench.stand import Stand, open_stand
from tests.bench.timing import ROOT, Contestant, Sample, take_turns

_CASE = Case(False, 0)
_BASE = "localhost/base:1"
_IMAGE = "localhost/oci-merge:1"
_PIP = "localhost/pip:1"
_PATIENCE_SECONDS = 600.0


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.image", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, metavar="N", help="counted runs (9)")
    runs: int = parser.parse_args().runs
    buildah = shutil.which("buildah")
    if buildah is None:
        sys.stderr.write("error: buildah is not installed\n")
        return 1
    with Containers(Path(buildah)) as storage, open_stand(_CASE.tls, _CASE.rtt) as stand:
        _prepare(storage, stand.work)
        sys.stdout.write("\n".join([*_sizes(storage, stand), "", *_times(storage, stand, runs)]))
        sys.stdout.write("\n")
    return 0


def _prepare(storage: Containers, work: Path) -> None:
    """Build the image, and the wheels that a job with pip downloads."""
    storage.image_of_packages(_BASE)
    settings = pip_settings(work, os.environ)
    storage.build(
        ROOT, _IMAGE, arguments={"BASE": _BASE}, labels={}, volumes=settings, variables=os.environ
    )
    (work / "wheels").mkdir(mode=0o755)
    container = storage.call("from", "--pull-never", _BASE)
    read = {**settings, ROOT: "/checkout"}
    mounts = [f"--volume={here}:{there}:ro" for here, there in read.items()]
    mounts.append(f"--volume={work}/wheels:/wheels")
    storage.call("run", container, "--", "python3", "-m", "venv", "/pip")
    wheels = ("-m", "pip", "wheel", "--quiet", "--wheel-dir", "/wheels", "/checkout")
    storage.call("run", *mounts, container, "--", "/pip/bin/python", *wheels)
    storage.call("commit", "--quiet", "--rm", container, _PIP)


def _sizes(storage: Containers, stand: Stand) -> Iterator[str]:
    yield "| | compressed, MB | unpacked, MB |"
    yield "| --- | ---: | ---: |"
    whole = _size(storage, stand, _IMAGE)
    base = _size(storage, stand, _BASE)
    rows = {
        "the base of this measurement": base,
        "what oci-merge adds": (whole[0] - base[0], whole[1] - base[1]),
        "the whole image": whole,
    }
    for name, (compressed, unpacked) in rows.items():
        yield f"| {name} | {compressed / 1e6:.1f} | {unpacked / 1e6:.1f} |"
    files = Path(storage.call("mount", storage.call("from", "--pull-never", _IMAGE)))
    packages = list(files.glob("opt/oci-merge/lib/python3*/site-packages/**/*"))
    parts = {
        "the packages": [path for path in packages if path.suffix != ".pyc"],
        "their bytecode": [path for path in packages if path.suffix == ".pyc"],
        "bytecode of Python's own modules": list(files.glob("usr/lib/python3*/**/*.pyc")),
    }
    for name, paths in parts.items():
        size = sum(path.lstat().st_size for path in paths if path.is_file())
        yield f"| of that, {name} | | {size / 1e6:.1f} |"


def _size(storage: Containers, stand: Stand, image: str) -> tuple[int, int]:
    """Return the bytes of an image's layers, as they are pushed and unpacked."""
    repository, _, tag = image.partition("/")[2].partition(":")
    pushed = f"docker://{stand.host}/{repository}:{tag}"
    storage.call("push", "--quiet", "--tls-verify=false", image, pushed)
    container = storage.call("from", "--pull-never", image)
    files = Path(storage.call("mount", container))
    unpacked = sum(path.lstat().st_size for path in files.rglob("*") if path.is_file())
    storage.call("rm", container)
    with Seeder(stand.distribution.url) as read:
        layers = json.loads(read.get_manifest(repository, tag).body)["layers"]
    return sum(layer["size"] for layer in layers), unpacked


def _times(storage: Containers, stand: Stand, runs: int) -> Iterator[str]:
    stand.push({source_of(_CASE, name): image for name, image in images(_CASE.platforms).items()})
    scripts: dict[str, tuple[str, str, Callable[[str, int], str]]] = {
        "the image": ("image", _IMAGE, lambda words, _: words),
        "the image, without its bytecode": (
            *("source", _IMAGE),
            lambda words, _: f"PYTHONPYCACHEPREFIX=/none {words}",
        ),
        "`pip install` in the job": ("pip", _PIP, _with_pip),
    }
    contestants = [_nothing(storage)]
    contestants += [_contestant(storage, stand, name, *how) for name, how in scripts.items()]
    samples = take_turns(contestants, stand.run, runs=runs, patience=_PATIENCE_SECONDS)
    yield "| | time, s | least | computing, s | ratio |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    first = _median(samples["the image"])
    for name, taken in samples.items():
        computing = statistics.median(sample.computing for sample in taken)
        least = min(sample.seconds for sample in taken)
        median = _median(taken)
        yield f"| {name} | {median:.2f} | {least:.2f} | {computing:.2f} | {median / first:.1f} |"


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _with_pip(words: str, turn: int) -> str:
    """Return the script of a job that gets the tool first.

    It is root, and Python keeps what it compiles; each turn begins without any of that.
    """
    folder = f"/tmp/{turn}"
    pip = "/pip/bin/python -m pip --no-cache-dir --disable-pip-version-check install --quiet"
    return (
        f"export PYTHONPYCACHEPREFIX={folder}/bytecode; "
        f"{pip} --no-index --find-links /wheels --target {folder}/packages oci-merge; "
        f"export PYTHONPATH={folder}/packages; "
        f"{words.replace(OCI_MERGE, 'python3 -m oci_merge_cli', 1)}"
    )


def _nothing(storage: Containers) -> Contestant:
    container = storage.call("from", "--pull-never", _IMAGE)
    start = (*storage.command, "run", "--isolation=chroot", container, "--", "sh", "-c", "true")
    return Contestant("a container that does nothing", lambda _: [start])


def _contestant(
    storage: Containers,
    stand: Stand,
    name: str,
    key: str,
    image: str,
    script: Callable[[str, int], str],
) -> Contestant:
    container = storage.call("from", "--pull-never", image)
    start = (
        *storage.command,
        "run",
        "--isolation=chroot",
        f"--volume={stand.work}/wheels:/wheels:ro",
    )

    def commands(turn: int) -> list[Command]:
        wanted = order(_CASE, stand.host, stand.work, key, turn)
        (words,) = Tool(OCI_MERGE, (OCI_MERGE,), ()).commands(wanted)
        return [(*start, container, "--", "sh", "-e", "-c", script(shlex.join(words), turn))]

    def check() -> None:
        repository, tags = target_of(_CASE, key, 0)
        stand.expect([(repository, tag) for tag in tags], _CASE.platforms)

    return Contestant(name, commands, check)


if __name__ == "__main__":
    sys.exit(main())
