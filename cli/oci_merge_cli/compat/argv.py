"""Rewrites arguments in the style of manifest-tool into those that typer reads."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

#: The values that a boolean flag has in Go.
_SWITCHES = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


@dataclass(frozen=True, slots=True)
class Level:
    """The options and the commands of a command.

    Attributes:
        options: whether each option takes a value, by the option as it is written.
        commands: the commands that may follow, by their names.
        repeatable: the options whose values add up, if they are given several times.
        long: the long form of each short option, such as ``--output`` of ``-o``.
    """

    options: Mapping[str, bool]
    commands: Mapping[str, Level] = field(default_factory=dict)
    repeatable: frozenset[str] = frozenset()
    long: Mapping[str, str] = field(default_factory=dict)

    @property
    def valued(self) -> frozenset[str]:
        """The options that take a value."""
        return frozenset(option for option, takes_value in self.options.items() if takes_value)


def level_of(command: Any) -> Level:
    """Return the level of a typer command. Its type is private to typer."""
    options = {"--help": False}
    long: dict[str, str] = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            options |= dict.fromkeys(parameter.opts, not parameter.is_flag)
            first = next((option for option in parameter.opts if option.startswith("--")), "")
            long |= {option: first for option in parameter.opts if first and option != first}
    commands: Mapping[str, Any] = getattr(command, "commands", {})
    repeatable = (parameter.opts for parameter in command.params if parameter.multiple)
    return Level(
        options,
        {name: level_of(inner) for name, inner in commands.items()},
        frozenset(chain.from_iterable(repeatable)),
        long,
    )


def normalize(arguments: Sequence[str], program: Level, shared: Container[str]) -> list[str]:
    """Rewrite arguments as typer reads them.

    ``-name`` becomes ``--name``, ``-o`` the long form of the option, ``-qo json`` the long form of
    each, ``--flag=true`` becomes ``--flag``, ``--flag=false`` removes every earlier ``--flag``, and
    a shared option that a command lacks moves to the group that has it.
    Values stay as they are, and so does everything after ``--`` or after an unknown command.

    Args:
        arguments: the arguments of the program.
        program: the options and the commands of the program.
        shared: the options of groups that may also stand after the commands of the group.

    Returns:
        The arguments for typer.
    """
    line = _Line(program, shared)
    words = iter(arguments)
    for word in words:
        if word == "--":
            line.keep(word, *words)
        elif word.startswith("-") and word != "-":
            line.take_option(word, words)
        elif line.enters(word) or not line.innermost.commands:
            line.keep(word)
        else:
            line.keep(word, *words)
    return line.words()


def command_of(words: Sequence[str], program: Level) -> str:
    """Return the word that names a command and is not the value of an option, or an empty string.

    Args:
        words: the arguments of the program, normalized.
        program: the options and the commands of the program.
    """
    rest = iter(words)
    for word in rest:
        if word in program.commands:
            return word
        if word in program.valued:
            next(rest, None)
    return ""


class _Line:
    """A command line, written word by word.

    Args:
        program: the options and the commands of the program.
        shared: the options of groups that may also stand after their commands.
    """

    def __init__(self, program: Level, shared: Container[str]) -> None:
        self._levels = [program]
        self._shared = shared
        # The words of each level; an option and its value are one piece.
        self._pieces: list[list[tuple[str, ...]]] = [[]]

    @property
    def innermost(self) -> Level:
        """The command that the words so far name."""
        return self._levels[-1]

    def enters(self, word: str) -> bool:
        """Enter the command of that name; return whether there is one."""
        command = self.innermost.commands.get(word)
        if command is not None:
            self._levels.append(command)
            self._pieces.append([])
        return command is not None

    def keep(self, *words: str) -> None:
        """Append words unchanged."""
        self._pieces[-1].append(words)

    def take_option(self, word: str, following: Iterator[str]) -> None:
        """Append an option, with its value from the following words if it takes one."""
        spelled, equals, value = word.partition("=")
        found = self._owner(spelled)
        if found is None:
            parts = self._cluster(word)
            for part in parts:
                self.take_option(part, following)
            if not parts:
                self.keep(word)
            return
        place, option = found
        pieces = self._pieces[place]
        if self._levels[place].options[option]:
            pieces.append((option + equals + value,) if equals else (option, *islice(following, 1)))
        elif not equals:
            pieces.append((option,))
        elif value in _SWITCHES:
            self._switch(place, option, on=_SWITCHES[value])
        else:
            pieces.append((option + equals + value,))

    def words(self) -> list[str]:
        """Return the whole line."""
        return [word for pieces in self._pieces for piece in pieces for word in piece]

    def _owner(self, spelled: str) -> tuple[int, str] | None:
        """Return the innermost level that has an option, and how typer writes the option."""
        last = len(self._levels) - 1
        for option in (spelled, f"-{spelled}"):
            for place in range(last, -1, -1):
                if option in self._levels[place].options and (
                    place == last or option in self._shared
                ):
                    return place, self._levels[place].long.get(option, option)
        return None

    def _cluster(self, word: str) -> list[str]:
        """Return the options that a word such as ``-qo`` or ``-ojson`` is made of, by long names.

        Returns:
            The options, the last of them perhaps with its value; nothing if the word is another.
        """
        level = self.innermost
        pieces: list[str] = []
        for at, letter in enumerate(word[1:], 1):
            option = level.long.get(f"-{letter}")
            if option is None:
                return []
            if level.options[option]:
                value = word[at + 1 :].removeprefix("=")  # as of -o=json
                return [*pieces, f"{option}={value}" if value else option]
            pieces.append(option)
        return pieces

    def _switch(self, place: int, option: str, *, on: bool) -> None:
        """Turn a flag on or off, and remove it where it stood before."""
        for pieces in self._pieces:
            pieces[:] = [piece for piece in pieces if piece != (option,)]
        if on:
            self._pieces[place].append((option,))
