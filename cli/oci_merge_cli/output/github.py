"""Writes the outputs and the summary of a step on GitHub, or on Gitea and Forgejo, which do alike.

A runner names a file for each in a variable; programs append to it. GitHub's documentation:
"Workflow commands", "Setting an output parameter" and "Adding a job summary".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from oci_merge import MergeResult
from oci_merge_cli.output.escape import printable, printable_json
from oci_merge_cli.output.published import published
from oci_merge_cli.output.step_summary import step_summary

#: GitHub drops a summary of more than 1 MiB whole, what other programs wrote included, and is
#: known to count a little more than the file has.
_MOST_SUMMARY = 1_000_000
#: The outputs of a job may have 1 MB, counted as UTF-16, and the result is not all of them.
_MOST_JSON = 250_000


def write_step(
    result: MergeResult, environ: Mapping[str, str], warn: Callable[[str], None]
) -> None:
    """Append the outputs and the summary about a published image to the runner's files.

    Args:
        result: what was published.
        environ: has the runner's variables.
        warn: is told what cannot be written. That is no error, since nobody asked for it.
    """
    for variable, write in (("GITHUB_OUTPUT", _outputs), ("GITHUB_STEP_SUMMARY", _summary)):
        path = environ.get(variable)
        if not path:
            continue
        try:
            # The runner has made the file. Where it is not, as in a container that it is not
            # mounted into, nobody would read a new one.
            size = os.stat(path).st_size
            if text := write(result, size, warn):
                _append(Path(path), text)
        except OSError as error:
            warn(
                f"{result.target} is published, but {printable(path)}, which {variable} names, "
                f"could not be written: {error.strerror}; --no-github leaves it alone"
            )


def _outputs(result: MergeResult, size: int, warn: Callable[[str], None]) -> str:
    names = published(result)
    values = {
        "digest": names.digest,
        "image": names.image,
        "reference": names.reference,
        "tags": "\n".join(names.tags),
        "changed": names.changed,
    }
    document = printable_json(result.to_dict())
    if len(document) <= _MOST_JSON:
        values["json"] = document
    else:
        warn(
            f"the output json is left out: the result has {len(document)} bytes, and GitHub takes "
            "1 MB of outputs from a job; --output json has it"
        )
    return "".join(_output(name, value) for name, value in values.items())


def _output(name: str, value: str) -> str:
    # Nobody can have put into a value what is made up here, after the value.
    delimiter = f"oci_merge_{os.urandom(16).hex()}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _summary(result: MergeResult, size: int, warn: Callable[[str], None]) -> str:
    # An empty line first ends what other programs wrote, such as an HTML block.
    text = ("\n" if size else "") + step_summary(result)
    if size + len(text) <= _MOST_SUMMARY:
        return text
    warn(
        f"the step summary is left out: it has {size} bytes already, and GitHub drops one of "
        "more than 1 MiB"
    )
    return ""


def _append(path: Path, text: str) -> None:
    with path.open("r+b", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        if end:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                text = f"\n{text}"  # somebody's last line has no end
    with path.open("ab", buffering=0) as stream:
        stream.write(text.encode())  # at once: other programs may append, too
