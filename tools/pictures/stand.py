"""The registry and the machine on which the commands of the pictures run."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from fixtures.context import Context
from fixtures.distribution import PROGRAM
from fixtures.images import build_attestation, build_image, build_index
from fixtures.named_registries import NamedRegistries
from fixtures.network.delay_proxy import DelayProxy
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.seed import Seeder

REGISTRY = "registry.example"

_SHELL = "/bin/sh"
_ROWS = 60
_SECONDS = 60


class Stand(Context):
    """A real registry under the name `registry.example`, with images, and a machine with oci-merge.

    * `team/app-amd64:1.0`, `-arm64` and `-armv7` are images.
    * `team/web-amd64:1.0` and `-arm64` are what buildx pushes: an index of an image and its
      provenance.
    * `team/api-amd64:1.0` and so on, and those of `worker`, are images; `docs` has none.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._named = NamedRegistries({REGISTRY: None})
        self.folder = Path()

    def open(self) -> None:
        if shutil.which(PROGRAM) is None:
            raise FileNotFoundError(f"{PROGRAM} is not installed (apt-get install {PROGRAM})")
        with ExitStack() as stack:
            base = Path(stack.enter_context(TemporaryDirectory(prefix="oci-merge-pictures-")))
            self.folder = base / "work"
            self.folder.mkdir()
            program = base / "oci-merge"
            program.write_text(
                f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m oci_merge_cli "$@"\n'
            )
            program.chmod(0o755)
            stack.enter_context(self._named)
            with self._named.seeder(REGISTRY) as seeder:
                _push(seeder)
            self._environment = {
                "HOME": str(base),
                "PATH": f"{base}{os.pathsep}{os.environ['PATH']}",
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                **self._named.environment,
            }
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def type(self, command: str, columns: int, *, status: int = 0, rtt: float = 0.0) -> str:
        """Run a command on a terminal, and return all that it wrote there.

        Args:
            command: what is typed into a shell.
            columns: how wide the terminal is, in characters.
            status: with which exit status it has to end.
            rtt: the round trip time to the registry, in seconds.

        Raises:
            RuntimeError: it ended with another status.
        """
        with ExitStack() as stack:
            environment = dict(self._environment)
            if rtt:
                near = self._named.registries[REGISTRY].port
                delay = stack.enter_context(DelayProxy("127.0.0.1", near, rtt))
                proxy = stack.enter_context(ForwardProxy(names={REGISTRY: delay.port}))
                environment["HTTPS_PROXY"] = proxy.url
            ended, written = _run(command, columns, environment, self.folder)
        if ended != status:
            raise RuntimeError(f"{command} ended with status {ended}:\n{written}")
        return written

    def run(self, command: str) -> str:
        """Run a command without a terminal, and return its stdout."""
        return subprocess.run(
            [_SHELL, "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self._environment,
            cwd=self.folder,
            check=True,
            text=True,
            timeout=_SECONDS,
        ).stdout


def _push(seeder: Seeder) -> None:
    for name, variant in (("amd64", ""), ("arm64", ""), ("arm", "v7")):
        seeder.push_image(f"team/app-{name}{variant}", "1.0", build_image("linux", name, variant))
    for name in ("amd64", "arm64"):
        web = build_image("linux", name, text="web")
        seeder.push_index(f"team/web-{name}", "1.0", build_index([web, build_attestation(web)]))
        for other in ("api", "worker"):
            seeder.push_image(f"team/{other}-{name}", "1.0", build_image("linux", name, text=other))


def _run(command: str, columns: int, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    outer, inner = pty.openpty()
    try:
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        process = subprocess.Popen(
            [_SHELL, "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=inner,
            stderr=inner,
            env=environment,
            cwd=folder,
        )
    finally:
        os.close(inner)
    timer = threading.Timer(_SECONDS, process.kill)
    timer.start()
    written = b""
    try:
        with suppress(OSError):  # how a terminal says that its other end is closed
            while chunk := os.read(outer, 65536):
                written += chunk
        return process.wait(), written.decode()
    finally:
        timer.cancel()
        os.close(outer)
