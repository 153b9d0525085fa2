"""The recordings: which commands are typed, and which moments of them are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tools.pictures.screen import Row, Screen, text_of
from tools.pictures.stand import Stand
from tools.pictures.terminal import Recording

_MISSING = r"""oci-merge --platforms linux/amd64,linux/arm64,linux/s390x \
    --template registry.example/team/app-ARCH:1.0 --target registry.example/team/app:1.0"""

_BATCH_FILE = "defaults: {platforms: 'linux/amd64,linux/arm64', tags: latest}\nimages:\n" + "".join(
    f"  - name: {name}\n"
    f"    template: registry.example/team/{name}-ARCH:1.0\n"
    f"    target: registry.example/team/{name}:1.0\n"
    for name in ("api", "web", "worker", "docs")
)

_STEPS = (
    ("reading manifests",),
    ("reading configs", "mounting blobs"),
    ("putting manifests",),
    ("moving tags",),
)
"""The bars of the four steps of a merge."""

_ROUND_TRIPS = (0.25, 0.5, 1.0)
"""Seconds; bars are drawn ten times a second, so a busy machine needs longer ones."""

_BAR = re.compile(r"(?P<name>[a-z ]+?) *[━╸╺]+ +(?P<done>\d+)/(?P<total>\d+)")
_SIDE_BY_SIDE = re.compile(r"tag \S+ moved|\w+: published \S+")

Frame = tuple[Row, ...]


class MomentMissedError(Exception):
    """A moment that a picture shows was too short to be seen."""


@dataclass(frozen=True)
class Scene:
    """A command whose last screen is a picture.

    Args:
        title: what the picture is, in a few words.
        command: what is typed.
        columns: how wide the terminal is, in characters.
        status: the exit status.
    """

    title: str
    command: str
    columns: int
    status: int = 0


_MERGE = Scene(
    "oci-merge joins images of three platforms",
    r"""oci-merge --platforms linux/amd64,linux/arm64,linux/arm/v7 \
    --template registry.example/team/app-ARCHVARIANT:1.0 \
    --target registry.example/team/app:1.0 --tags latest,1""",
    88,
)

SCENES: Mapping[str, Scene] = {
    "error": Scene("oci-merge says what is missing and what to try", _MISSING, 116, 1),
    "batch": Scene("oci-merge merges every image of a file", "oci-merge batch images.yml", 92, 1),
    "inspect": Scene(
        "oci-merge shows what an index lists",
        "oci-merge inspect --output table registry.example/team/web:1.0",
        92,
    ),
}
"""By the names of the pictures, in the order in which they are typed into one registry."""


def record(stand: Stand, rtt: float) -> dict[str, Recording]:
    """Type the commands, and return the recordings by the names of their pictures.

    Args:
        stand: where they are typed; nothing else has been typed there.
        rtt: the round trip time to the registry during the merge, in seconds.

    Raises:
        MomentMissedError: the machine was too busy for this round trip time.
    """
    shown = moments(_type(stand, _MERGE, rtt))
    found = {"merge": _recording(_MERGE, shown[-1:]), "merge-steps": _recording(_MERGE, shown)}
    (stand.folder / "images.yml").write_text(_BATCH_FILE)
    for name, scene in SCENES.items():
        found[name] = _recording(scene, (_in_order(_type(stand, scene)[-1]),))
    return found


def record_anew() -> tuple[dict[str, Recording], str]:
    """Start a registry and record everything there.

    Returns:
        The recordings, and what `inspect --output json` says of `team/web:1.0`.
    """
    for rtt in _ROUND_TRIPS:
        with Stand() as stand:
            try:
                found = record(stand, rtt)
            except MomentMissedError:
                if rtt == _ROUND_TRIPS[-1]:
                    raise
            else:
                shown = stand.run("oci-merge inspect --output json registry.example/team/web:1.0")
                return found, shown
    raise AssertionError("there is a round trip time")


def moments(frames: list[Frame]) -> tuple[Frame, ...]:
    """Choose what is shown of a merge: each of its four steps as it begins, and the end.

    Many more frames are drawn. Which ones depends on the time that each answer takes.

    Args:
        frames: all that the terminal showed.

    Raises:
        MomentMissedError: a step began and ended between two frames.
    """
    found = []
    before: set[str] = set()
    for step in _STEPS:
        begun = [frame for frame in frames if _begins(frame, set(step), before)]
        if not begun:
            raise MomentMissedError(f"no frame shows the begin of: {', '.join(step)}")
        found.append(begun[-1])
        before |= set(step)
    return (*found, _in_order(frames[-1]))


def _begins(frame: Frame, step: set[str], before: set[str]) -> bool:
    bars = [_BAR.fullmatch(text_of(row).rstrip()) for row in frame]
    counts = {bar["name"]: (int(bar["done"]), int(bar["total"])) for bar in bars if bar is not None}
    return (
        len(counts) == len(bars)
        and step | before <= counts.keys()
        and all(counts[name][0] == 0 for name in step)
        and all(counts[name][0] == counts[name][1] for name in before)
    )


def _type(stand: Stand, scene: Scene, rtt: float = 0.0) -> list[Frame]:
    written = stand.type(scene.command, scene.columns, status=scene.status, rtt=rtt)
    return list(Screen(scene.columns).frames(written))


def _recording(scene: Scene, frames: tuple[Frame, ...]) -> Recording:
    return Recording(scene.title, scene.command, scene.columns, frames)


def _in_order(frame: Frame) -> Frame:
    """Put the lines into one order that tell of things which are written side by side."""
    told = [row for row in frame if _SIDE_BY_SIDE.fullmatch(text_of(row).rstrip())]
    return (*sorted(told, key=text_of), *(row for row in frame if row not in told))
