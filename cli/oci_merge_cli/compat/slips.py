"""Finds slips on the command line that the parser takes for something else. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oci_merge import UsageError
from oci_merge_cli.compat.argv import Level

#: What to do instead of giving an option twice, where it is more than keeping one of the two.
_INSTEAD = {
    "--target": "keep one; for more tags of the same image, add --tags latest,1",
    "--template": "keep one; a second group of images takes a run of its own, or --source",
}

#: What is as it is given: a password may look like an option.
_FREE = ("--username", "--password")


class _Given(NamedTuple):
    """An option that takes a value, as it stands on the command line.

    Args:
        option: the option.
        depth: how many commands stand before it.
        value: its value.
        following: the word after its value, or an empty string.
        is_separate: whether the value is a word of its own, and not ``--option=value``.
        level: the command that the option belongs to.
    """

    option: str
    depth: int
    value: str
    following: str
    is_separate: bool
    level: Level


def check_slips(words: Sequence[str], program: Level) -> None:
    """Refuse an option whose value is another option, and a list with a space in it.

    No value is shown, since it may be a password.

    Args:
        words: the arguments of the program, normalized.
        program: the options and the commands of the program.

    Raises:
        UsageError: there is such a slip.
    """
    for given in _given(words, program):
        option = given.option
        swallowed = given.value.partition("=")[0]
        is_option = swallowed.startswith("--") and swallowed in given.level.options
        if is_option and given.is_separate and option not in _FREE:
            raise UsageError(
                f"{option} has no value: {swallowed} follows it",
                hint=f"give {option} a value; perhaps a variable is empty: quote it",
            )
        is_cut = given.value.endswith(",") or given.following.startswith(",")
        if option in given.level.repeatable and given.is_separate and is_cut:
            _refuse_cut_list(given)


def repeated_options(words: Sequence[str], program: Level) -> tuple[str, ...]:
    """Return the options for one value that a command is given several times, each once.

    An option may stand before and after the name of a command: the one after it counts there.

    Args:
        words: the arguments of the program, normalized.
        program: the options and the commands of the program.
    """
    seen: set[tuple[int, str]] = set()
    repeated: dict[str, None] = {}
    for given in _given(words, program):
        place = given.depth, given.option
        if place in seen and given.option not in given.level.repeatable:
            repeated[given.option] = None
        seen.add(place)
    return tuple(repeated)


def repeated_error(option: str) -> UsageError:
    """Return the error for an option for one value that is given several times."""
    return UsageError(
        f"{option} takes one value and is given twice",
        hint=_INSTEAD.get(option, "keep one of the two"),
    )


def _refuse_cut_list(given: _Given) -> None:
    """Refuse a list that a space cuts, where the rest of it follows."""
    rest = given.following
    if not rest or rest.startswith("-") or rest in given.level.commands:
        return  # a comma at the end, which the list itself is refused for
    from oci_merge_cli.output.escape import printable  # not needed by --help

    joined = f"{given.value.rstrip(',')},{rest.lstrip(',')}"
    raise UsageError(
        f"the list of {given.option} has a space in it, before {printable(rest)!r}",
        hint=f"leave out the space, or quote the list: {given.option} {printable(joined)}",
    )


def _given(words: Sequence[str], program: Level) -> Iterator[_Given]:
    """Yield the options that take a value, in order, up to ``--`` or an unknown command."""
    level, depth, place = program, 0, 0
    while place < len(words):
        word = words[place]
        place += 1
        option, equals, value = word.partition("=")
        if word in level.commands:
            level, depth = level.commands[word], depth + 1
        elif word == "--" or (level.commands and not word.startswith("-")):
            return
        elif option in level.valued:
            if not equals:
                value = words[place] if place < len(words) else ""
                place += 1
            following = words[place] if place < len(words) else ""
            yield _Given(option, depth, value, following, not equals, level)
