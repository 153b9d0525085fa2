"""The diagrams: from build jobs to an index, the steps of a merge, an index before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tools.pictures.svg import Diagram

_WIDTH = 860
_SHORT_DIGEST = len("sha256:") + 12
_COLOURS = {"linux/amd64": "blue", "linux/arm64": "orange"}


def flow() -> str:
    """Draw what the jobs of a pipeline do, and what is in the registry after each."""
    drawing = Diagram(
        _WIDTH,
        290,
        "From build jobs to one index",
        "Two build jobs push one image each: app-amd64:1.0 and app-arm64:1.0. The merge job runs "
        "oci-merge, which reads both in the registry and pushes an index. The tags app:1.0 and "
        "app:latest point to the index, which lists the images for linux/amd64 and linux/arm64.",
    )
    for x, width, heading in ((20, 170, "Build jobs"), (430, 170, "Merge job")):
        drawing.text(x + width / 2, 32, heading, width, colour="quiet", anchor="middle", bold=True)
    for x, width in ((230, 168), (632, 208)):
        drawing.frame(x, 46, width, 190)
        drawing.text(
            x + width / 2, 32, "Registry", width, colour="quiet", anchor="middle", bold=True
        )
    for y, name in ((66, "amd64"), (150, "arm64")):
        colour = _COLOURS[f"linux/{name}"]
        drawing.box(20, y, 170, 66, line=colour)
        drawing.text(105, y + 28, f"build {name}", 160, anchor="middle", bold=True)
        drawing.text(
            105, y + 49, "kaniko, buildx, …", 160, size=13, colour="quiet", anchor="middle"
        )
        drawing.arrow((191, y + 33), (244, y + 33), colour=colour)
        drawing.box(246, y, 136, 66, line=colour)
        drawing.text(314, y + 28, f"app-{name}:1.0", 130, anchor="middle", mono=True)
        drawing.text(314, y + 49, "one image", 130, size=13, colour="quiet", anchor="middle")
        drawing.arrow((383, y + 33), (406, y + 33), (406, 141), (430, 141))
    drawing.box(432, 84, 166, 114, line="green")
    drawing.text(515, 112, "oci-merge", 156, size=16, anchor="middle", mono=True, bold=True)
    for count, text in enumerate(("reads manifests", "mounts blobs", "pushes the index")):
        drawing.text(515, 136 + 20 * count, text, 156, size=13, colour="quiet", anchor="middle")
    drawing.arrow((599, 141), (646, 141), colour="green")
    drawing.box(648, 66, 176, 150, line="green")
    drawing.text(736, 92, "app:1.0", 166, anchor="middle", mono=True, bold=True)
    drawing.text(736, 112, "app:latest", 166, anchor="middle", mono=True, bold=True)
    drawing.text(736, 135, "one index of", 166, size=13, colour="quiet", anchor="middle")
    for y, platform in ((162, "linux/amd64"), (188, "linux/arm64")):
        drawing.mark(664, y - 12, 4, 18, _COLOURS[platform])
        drawing.text(676, y + 2, platform, 140, mono=True)
    drawing.text(
        _WIDTH / 2,
        266,
        "Layers stay in the registry. The merge job downloads none.",
        800,
        colour="quiet",
        anchor="middle",
    )
    return drawing.render()


def steps() -> str:
    """Draw the four steps of a merge, each of which waits for the one before."""
    drawing = Diagram(
        _WIDTH,
        296,
        "The four steps of a merge",
        "Step 1 reads all manifests. Step 2 reads all configs and mounts all blobs, side by side. "
        "Step 3 puts each image as soon as its own blobs are there. Step 4 puts the index under "
        "every tag. If anything fails in the first three steps, all tags stay as they were.",
    )
    for x, y, heading, texts in (
        (20, 88, "1 Manifests", ["Read the manifest of", "every image."]),
        (236, 24, "2 Configs", ["Read the platform", "of each image."]),
        (236, 152, "2 Mounts", ["Mount the blobs into", "the target's repository."]),
        (452, 88, "3 Images", ["Put each as soon as", "its own blobs are there."]),
        (668, 88, "4 Tags", ["Put the index under", "every tag."]),
    ):
        _step(drawing, x, y, heading, texts, "green" if x == 668 else "blue")
    drawing.text(322, 135, "side by side", 160, size=13, colour="quiet", anchor="middle")
    for y in (66, 194):
        drawing.arrow((193, 130), (214, 130), (214, y), (235, y))
        drawing.arrow((409, y), (430, y), (430, 130), (451, 130))
    drawing.arrow((625, 130), (667, 130), colour="green")
    drawing.put("path", {"class": "s-line", "d": "M20 252 V260 H624 V252", "fill": "none"})
    drawing.text(
        321, 280, "If anything fails here, all tags stay as they were.", 600, size=13,
        colour="quiet", anchor="middle",
    )  # fmt: skip
    return drawing.render()


def _step(
    drawing: Diagram, x: int, y: int, heading: str, texts: Sequence[str], colour: str
) -> None:
    drawing.box(x, y, 172, 84, line=colour)
    drawing.text(x + 12, y + 27, heading, 150, size=15, bold=True)
    for count, text in enumerate(texts):
        drawing.text(x + 12, y + 50 + 18 * count, text, 162, size=12, colour="quiet")


def before_and_after(inspected: str) -> str:
    """Draw two indexes of one platform each, and the index that lists all that they have.

    Args:
        inspected: what `oci-merge inspect --output json` says of the new index.
    """
    index = json.loads(inspected)
    entries: Sequence[Mapping[str, Any]] = index["images"]
    platforms = {entry["digest"]: entry["platform"] for entry in entries if not entry["attests"]}
    drawing = Diagram(
        _WIDTH,
        330,
        "An index before and after the merge",
        "Before: two repositories, web-amd64 and web-arm64, each with an index of one image and "
        "its provenance. After: the repository web with one index under the tags 1.0 and latest. "
        f"It lists {len(platforms)} images and {len(entries) - len(platforms)} attestations, with "
        "the same digests.",
    )
    drawing.text(195, 32, "Before: one image in each repository", 360, anchor="middle", bold=True)
    drawing.text(630, 32, "After: one index with both", 400, anchor="middle", bold=True)
    for y, (digest, platform) in zip((52, 188), platforms.items(), strict=True):
        own = [entry for entry in entries if digest in (entry["digest"], entry["attests"])]
        drawing.box(20, y, 350, 122, line=_COLOURS[platform])
        architecture = platform.partition("/")[2]
        drawing.text(36, y + 28, f"team/web-{architecture}:1.0", 320, mono=True, bold=True)
        drawing.text(36, y + 49, "index", 320, size=13, colour="quiet")
        for count, entry in enumerate(own):
            _entry(drawing, 36, y + 76 + 26 * count, 320, entry, platforms)
    drawing.arrow((371, 113), (394, 113), (394, 181), (418, 181))
    drawing.arrow((371, 249), (394, 249), (394, 181), (418, 181))
    drawing.box(420, 52, 420, 258, line="green")
    drawing.text(436, 80, "team/web:1.0", 190, mono=True, bold=True)
    drawing.text(436, 102, "team/web:latest", 190, mono=True, bold=True)
    drawing.text(436, 132, f"index, {index['size']} bytes", 380, size=13, colour="quiet")
    drawing.text(436, 153, index["digest"][:_SHORT_DIGEST], 380, size=13, mono=True)
    for count, entry in enumerate(entries):
        _entry(drawing, 436, 190 + 30 * count, 388, entry, platforms)
    return drawing.render()


def _entry(
    drawing: Diagram,
    x: int,
    y: int,
    width: int,
    entry: Mapping[str, Any],
    platforms: Mapping[str, str],
) -> None:
    """Write an entry of an index: what it is, its digest and its size in bytes."""
    about = platforms[entry["attests"] or entry["digest"]]
    drawing.mark(x, y - 13, 4, 18, _COLOURS[about])
    name = "its provenance" if entry["attests"] and width < 350 else about
    if entry["attests"] and width >= 350:
        name = f"provenance, {about.partition('/')[2]}"
    drawing.text(x + 12, y, name, 150, size=13)
    right = x + width
    drawing.text(
        right - 50, y, entry["digest"][:_SHORT_DIGEST], 160, size=12, mono=True, anchor="end"
    )
    drawing.text(right, y, f"{entry['size']} B", 46, size=12, colour="quiet", anchor="end")
