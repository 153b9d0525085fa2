"""Merges many images: oci-merge in one Python process, each peer in a shell loop and by xargs."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.bench.cases import Order, images, platform_names
from tests.bench.figures import BulkResult
from tests.bench.peers import OCI_MERGE, Command, Tool
from tests.bench.stand import Stand, open_stand
from tests.bench.timing import Contestant, take_turns

IMAGES = 50
"""How many images are merged, each of two platforms."""

RTTS = (0, 10, 50)
"""The round trip times, in milliseconds."""

LOOP_RTT = 10
"""The one of them at which shell loops are run, which take long."""

MANY = 1000
"""How many images oci-merge merges alone."""

_PLATFORMS = 2
_FEW = 4  # as many images as are merged to warm up, and looked at after it
_AT_ONCE = 8

ONE_PROCESS = f"{OCI_MERGE}, one process"


def loop_name(tool: str) -> str:
    """Return what the report calls a tool that a shell loop runs."""
    return f"{tool}, shell loop"


def xargs_name(tool: str) -> str:
    """Return what the report calls a tool that xargs runs."""
    return f"{tool}, xargs -P{_AT_ONCE}"


def measure_bulk(
    tls: bool, rtt: int, python: str, peers: Sequence[Tool], *, runs: int, patience: float
) -> BulkResult:
    """Merge many images in every way, in turns.

    Args:
        tls: whether the registry has TLS and tokens.
        rtt: the round trip time, in milliseconds.
        python: the interpreter that oci-merge runs on.
        peers: the other tools.
        runs: how many turns are counted.
        patience: the seconds that a contestant may use up. Who would need more for one run is left
            out.

    Raises:
        BenchError: a command failed, or left something wrong.
    """
    loops = rtt == LOOP_RTT
    with open_stand(tls, rtt) as stand:
        _push(stand)
        expected = {}
        for few in _contestants(stand, python, peers, _FEW, loops=loops):
            expected[few.name] = stand.run(few.commands(0)).seconds * IMAGES / _FEW
            few.check()
        left_out = {name: wait for name, wait in expected.items() if wait > patience}
        every = _contestants(stand, python, peers, IMAGES, loops=loops)
        samples = take_turns(
            [contestant for contestant in every if contestant.name not in left_out],
            stand.run,
            runs=runs,
            patience=patience,
            warm=False,
        )
    return BulkResult(tls, rtt, IMAGES, samples, left_out)


def measure_many(python: str, *, runs: int) -> BulkResult:
    """Merge a thousand images in one process of oci-merge's, over plain HTTP.

    The images to join are those of ``measure_bulk``, again and again.

    Args:
        python: the interpreter that oci-merge runs on.
        runs: how many runs are counted.

    Raises:
        BenchError: a command failed, or left something wrong.
    """
    with open_stand(False, LOOP_RTT) as stand:
        _push(stand)
        (few,) = _contestants(stand, python, (), _FEW)
        stand.run(few.commands(0))
        few.check()
        (many,) = _contestants(stand, python, (), MANY)
        samples = tuple(stand.run(many.commands(turn)) for turn in range(1, runs + 1))
    return BulkResult(False, LOOP_RTT, MANY, {ONE_PROCESS: samples})


def _push(stand: Stand) -> None:
    stand.push(
        {
            (f"bulk/app{number}-{suffix}", "1.0"): image
            for number in range(IMAGES)
            for suffix, image in images(_PLATFORMS, text=f"app{number}").items()
        }
    )


def orders(stand_host: str, tls: bool, work: Path, count: int, run: str) -> list[Order]:
    """Return what has to be done, one order for each image.

    Args:
        stand_host: the registry, as references name it.
        tls: whether it has TLS and tokens.
        work: a folder for whatever a tool keeps.
        count: how many images.
        run: a name that no other run has.
    """
    suffixes = list(images(_PLATFORMS))
    return [
        Order(
            host=stand_host,
            tls=tls,
            template=f"{stand_host}/bulk/app{number}-ARCHVARIANT:1.0",
            sources=tuple(f"{stand_host}/bulk/app{number}-{suffix}:1.0" for suffix in suffixes),
            platforms=platform_names(_PLATFORMS),
            target=f"{stand_host}/{_target(run, number)}:1.0",
            tags=(),
            label=f"{run}-{number}",
            work=work,
        )
        for number in range(count)
    ]


def loop_script(each: Sequence[Sequence[Command]]) -> str:
    """Return a shell script that runs every image's commands and stops at the first failure."""
    return "set -e\n" + "".join(f"{shlex.join(line)}\n" for lines in each for line in lines)


def xargs_input(program: Command, each: Sequence[Sequence[Command]]) -> str:
    """Return a line for each image: the arguments of a tool that one command is enough for.

    Args:
        program: the words that every command begins with; they are left out.
        each: the commands for each image, exactly one.
    """
    return "".join(f"{shlex.join(line[len(program) :])}\n" for (line,) in each)


def _target(run: str, number: int) -> str:
    return f"bulk/{run}/app{number}"


def _contestants(
    stand: Stand, python: str, peers: Sequence[Tool], count: int, *, loops: bool = False
) -> list[Contestant]:
    def contestant(name: str, key: str, command: Callable[[str], Command]) -> Contestant:
        return Contestant(
            name=name,
            commands=lambda turn: [command(f"{key}-{count}-{turn}")],
            check=lambda: stand.expect(
                [(_target(f"{key}-{count}-0", number), "1.0") for number in range(count)],
                _PLATFORMS,
            ),
        )

    made = [contestant(ONE_PROCESS, OCI_MERGE, partial(_one_process, stand, python, count))]
    for peer in peers:
        loop = partial(_loop, stand, peer, count)
        side_by_side = partial(_xargs, stand, peer, count)
        if loops:
            made.append(contestant(loop_name(peer.name), f"{peer.name}-loop", loop))
        made.append(contestant(xargs_name(peer.name), f"{peer.name}-xargs", side_by_side))
    return made


def _one_process(stand: Stand, python: str, count: int, run: str) -> Command:
    module = ("-m", "tests.bench.bulk_client")
    platforms = ",".join(platform_names(_PLATFORMS))
    return (python, *module, stand.host, run, str(count), str(IMAGES), platforms)


def _each(stand: Stand, peer: Tool, count: int, run: str) -> list[list[Command]]:
    wanted = orders(stand.host, stand.distribution.tls, stand.work, count, run)
    return [peer.commands(order) for order in wanted]


def _loop(stand: Stand, peer: Tool, count: int, run: str) -> Command:
    script = stand.work / f"{run}.sh"
    script.write_text(loop_script(_each(stand, peer, count, run)))
    return (_program("sh"), str(script))


def _xargs(stand: Stand, peer: Tool, count: int, run: str) -> Command:
    each = _each(stand, peer, count, run)
    listed = stand.work / f"{run}.txt"
    command = (_program("xargs"), "-a", str(listed), f"-P{_AT_ONCE}")
    if all(len(lines) == 1 for lines in each):
        listed.write_text(xargs_input(peer.program, each))
        return (*command, "-L1", *peer.program)
    scripts = [stand.work / f"{run}-{number}.sh" for number in range(count)]
    for script, lines in zip(scripts, each, strict=True):
        script.write_text(loop_script([lines]))
    listed.write_text("".join(f"{script}\n" for script in scripts))
    return (*command, "-L1", _program("sh"))


def _program(name: str) -> str:
    return shutil.which(name) or name
