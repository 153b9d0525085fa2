"""What is done with the arguments before typer reads them: manifest-tool's ways become typer's."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

#: How Go writes the values of a flag that is on or off.
_SWITCHES = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


@dataclass(frozen=True, slots=True)
class Level:
    """A command as far as its options go.

    Attributes:
        options: each of its options as it is written, to whether it takes a value.
        commands: by their names, the commands that may follow it.
    """

    options: Mapping[str, bool]
    commands: Mapping[str, Level] = field(default_factory=dict)

    @property
    def valued(self) -> frozenset[str]:
        """The options that take a value."""
        return frozenset(option for option, takes_value in self.options.items() if takes_value)


def level_of(command: Any) -> Level:
    """Return the level of a typer command, whose own type is private to typer."""
    options = {"--help": False}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            options |= dict.fromkeys(parameter.opts, not parameter.is_flag)
    commands: Mapping[str, Any] = getattr(command, "commands", {})
    return Level(options, {name: level_of(inner) for name, inner in commands.items()})


def normalize(arguments: Sequence[str], program: Level, shared: Container[str]) -> list[str]:
    """Write arguments as typer takes them.

    ``-name`` gets its second dash, ``--flag=true`` loses its value, ``--flag=false`` takes back
    what was before it, and a shared option that a command lacks goes to the group that has it.
    Values are not looked at, nor is what follows ``--`` or a word that is no command.

    Args:
        arguments: the program's arguments.
        program: the program itself.
        shared: the options of groups that may also stand behind the commands of the group.
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


def names_command(words: Sequence[str], program: Level) -> bool:
    """Say whether a command stands among the words, and not as the value of an option.

    Args:
        words: the program's arguments.
        program: the program's own level.
    """
    rest = iter(words)
    for word in rest:
        if word in program.commands:
            return True
        if word in program.valued:
            next(rest, None)
    return False


class _Line:
    """A command line that is being written.

    Args:
        program: the program itself.
        shared: the options of groups that may stand behind their commands.
    """

    def __init__(self, program: Level, shared: Container[str]) -> None:
        self._levels = [program]
        self._shared = shared
        # What each level has: an option with its value stays in one piece.
        self._pieces: list[list[tuple[str, ...]]] = [[]]

    @property
    def innermost(self) -> Level:
        """The command that the words so far lead to."""
        return self._levels[-1]

    def enters(self, word: str) -> bool:
        """Go on to the command of that name, if there is one."""
        command = self.innermost.commands.get(word)
        if command is not None:
            self._levels.append(command)
            self._pieces.append([])
        return command is not None

    def keep(self, *words: str) -> None:
        """Write words as they are."""
        self._pieces[-1].append(words)

    def take_option(self, word: str, following: Iterator[str]) -> None:
        """Write an option, with its value out of the words that follow if it takes one."""
        spelled, equals, value = word.partition("=")
        found = self._owner(spelled)
        if found is None:
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
        """Find whose option a word is, and how that is written."""
        last = len(self._levels) - 1
        for option in (spelled, f"-{spelled}"):
            for place in range(last, -1, -1):
                if option in self._levels[place].options and (
                    place == last or option in self._shared
                ):
                    return place, option
        return None

    def _switch(self, place: int, option: str, *, on: bool) -> None:
        """Turn a flag on or off, whatever was said of it before."""
        for pieces in self._pieces:
            pieces[:] = [piece for piece in pieces if piece != (option,)]
        if on:
            self._pieces[place].append((option,))
