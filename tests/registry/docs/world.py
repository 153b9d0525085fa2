"""The machine on which a page's consoles are typed: registries by name, programs, a home folder."""

from __future__ import annotations

import re
import shlex
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fixtures.images import BuiltImage, BuiltIndex
from fixtures.named_registries import NamedRegistries
from tests.registry.ci.running import BASH, Job
from tests.registry.docs.console import Block, Command

REGISTRIES = ("registry.example", "reg.example", "build.example", "other.example", "ghcr.io")
"""The registries that pages name; everybody may read and write there."""


HOME = "/home/ci"
"""The home folder that pages show."""


@dataclass(frozen=True)
class Typed:
    """A command that was typed.

    Args:
        command: the command.
        printed: the lines that it printed, on stdout and stderr.
        status: its exit status.
    """

    command: Command
    printed: tuple[str, ...]
    status: int


@dataclass
class World:
    """What a page is tried in. Its registries are empty, and its own.

    Args:
        named: the registries.
        job: the machine.
        variables: what the shell's environment has beside the registries.
        preamble: what stands before each Python script of the page, such as its imports.
        aliases: addresses that pages show, and in whose place others are used.
    """

    named: NamedRegistries
    job: Job
    variables: dict[str, str] = field(default_factory=dict)
    preamble: str = "import oci_merge"
    aliases: dict[str, str] = field(default_factory=dict)
    _before: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def push(self, reference: str, content: BuiltImage | BuiltIndex) -> None:
        """Put an image or an index under a reference such as `registry.example/team/app:1.0`."""
        self.named.push(reference, content)

    def file(self, name: str, content: str) -> Path:
        """Write a file into the folder in which the commands are typed."""
        path = self.job.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def before(self, command: str, action: Callable[[], None]) -> None:
        """Do something before the console whose first command has this text, or such a script."""
        self._before.append((command, action))

    def type(self, block: Block) -> list[Typed]:
        """Type the commands of a console into one shell, and return what became of each."""
        commands = list(block.commands())
        mark = f"--- {uuid.uuid4().hex}"
        for waiting in list(self._before):
            if waiting[0] in commands[0].text:
                self._before.remove(waiting)
                waiting[1]()
        script = "".join(f'{command.text}\necho "{mark} $?"\n' for command in commands)
        for shown, used in self.aliases.items():
            script = script.replace(shown, used)
        done = self.job.run(f"exec 2>&1\nset +e\n{script}", self.variables, shell=BASH)
        *typed, rest = re.split(rf"{mark} (\d+)\n", self._as_shown(done.stdout))
        assert not rest, rest
        return [
            Typed(command, tuple(printed.splitlines()), int(status))
            for command, printed, status in zip(commands, typed[::2], typed[1::2], strict=True)
        ]

    def run_python(self, block: Block) -> None:
        """Run a script of a page, after what the page was prepared with.

        The test fails where the script does.
        """
        text = "\n".join(block.content)
        for waiting in list(self._before):
            if waiting[0] in text:
                self._before.remove(waiting)
                waiting[1]()
        script = self.file(".page.py", f"{self.preamble}\n{text}\n")
        done = self.job.run(f"{shlex.quote(sys.executable)} {script.name}", self.variables)
        assert done.returncode == 0, f"{block.page}:{block.line}\n{done.stdout}{done.stderr}"

    def _as_shown(self, text: str) -> str:
        """Return an output with folders and addresses of this test replaced by those of pages."""
        for shown, used in self.aliases.items():
            text = text.replace(used, shown)
        text = text.replace(str(self.job.workspace), f"{HOME}/project")
        return text.replace(str(self.job.home), HOME)

    def check_used(self) -> None:
        """Fail where something was prepared for a command that the page does not have."""
        assert not self._before, [command for command, _ in self._before]
