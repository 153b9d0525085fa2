"""Writes variables for later jobs, as GitLab's report ``artifacts:reports:dotenv`` takes them.

GitLab takes a line for each variable: a name of letters, digits and underscores, ``=`` and the
value. It takes no empty line, comment, quote or line break, and replaces ``$NAME`` in a value.
A shell may read the file, too, so no value has a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from oci_merge import MergeResult, UsageError
from oci_merge_cli.output.published import published

_PREFIX = "OCI_MERGE_"
#: GitLab refuses the whole report if its file is not smaller.
_TOO_MANY_BYTES = 5 * 1024
#: Our own lines alone: a user may keep OCI_MERGE_USERNAME in such a file.
_OURS = re.compile(rf"^{_PREFIX}(?:DIGEST|IMAGE|REFERENCE|CHANGED|TAGS)=.*\n", re.MULTILINE)


def other_text(path: Path) -> str:
    """Return what a dotenv file has besides our variables, to keep it as it is.

    Args:
        path: the file, which need not be there.

    Returns:
        The text, which is empty or ends in a line break.

    Raises:
        UsageError: it is not text, or cannot be read.
    """
    if not path.is_file():
        return ""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"the dotenv file {path} is there, and cannot be read: {error.strerror}",
            hint="name a file that is not there yet, or make this one readable",
        ) from error
    except UnicodeDecodeError:
        raise UsageError(
            f"the dotenv file {path} is there, and is not UTF-8 text",
            hint="name a file that is not there yet, or save this one as UTF-8",
        ) from None
    return _OURS.sub("", text if text.endswith("\n") or not text else f"{text}\n")


def dotenv_text(result: MergeResult, before: str, warn: Callable[[str], None]) -> str:
    """Return the content of a dotenv file.

    Args:
        result: what was published.
        before: the text that stands before the variables.
        warn: is told if the tags are left out, since GitLab would refuse the file with them.
    """
    names = published(result)
    values = {
        f"{_PREFIX}DIGEST": names.digest,
        f"{_PREFIX}IMAGE": names.image,
        f"{_PREFIX}REFERENCE": names.reference,
        f"{_PREFIX}CHANGED": names.changed,
    }
    text = before + "".join(f"{name}={value}\n" for name, value in values.items())
    with_tags = f"{text}{_PREFIX}TAGS={','.join(names.tags)}\n"
    size = len(with_tags.encode())
    if size < _TOO_MANY_BYTES:
        return with_tags
    warn(
        f"{_PREFIX}TAGS is left out of the dotenv file: with it, the file has {size} bytes, and "
        f"GitLab takes fewer than {_TOO_MANY_BYTES}"
    )
    return text
