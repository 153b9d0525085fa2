"""What a release runs: ``python -m tools.release COMMAND``.

All but ``files`` needs Python alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tools.release import archives, checksums, complete, sbom, version

CHANGELOG = version.ROOT / "CHANGELOG.md"


def tag(options: argparse.Namespace) -> list[str]:
    """Print the version, if the tag, the program and the changelog have the same."""
    known = version.read_version()
    found = version.problems(options.tag, known, CHANGELOG.read_text(encoding="utf-8"))
    if not found:
        sys.stdout.write(f"{known}\n")
    return found


def notes(_options: argparse.Namespace) -> list[str]:
    """Print what the changelog says of the newest version."""
    sys.stdout.write(f"{version.newest(CHANGELOG.read_text(encoding='utf-8')).text}\n")
    return []


def files(options: argparse.Namespace) -> list[str]:
    """Build the source archive, the wheel, the SBOM and the checksums; print their paths."""
    options.folder.mkdir(parents=True, exist_ok=True)
    if any(options.folder.iterdir()):
        return [f"{options.folder} is not empty"]
    archives.build_archives(options.folder)
    sbom.make_sbom(options.folder, options.folder)
    checksums.write_checksums(options.folder)
    for path in sorted(options.folder.iterdir()):
        sys.stdout.write(f"{path}\n")
    return []


def constraints(options: argparse.Namespace) -> list[str]:
    """Print the packages of an SBOM as constraints for pip."""
    for line in sbom.constraints(options.sbom.read_text(encoding="utf-8")):
        sys.stdout.write(f"{line}\n")
    return []


def gather(options: argparse.Namespace) -> list[str]:
    """Write the checksums of all files of a release, and see that none is missing or wrong."""
    checksums.write_checksums(options.folder)
    return complete.problems(options.folder, version.read_version())


def main() -> int:
    """Run the command that the arguments name; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release", description="What a release runs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(run: Callable[[argparse.Namespace], list[str]]) -> argparse.ArgumentParser:
        command = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        return command

    add(tag).add_argument("tag", help="the tag of the release, such as v0.1.0")
    add(notes)
    add(files).add_argument("folder", type=Path, help="an empty folder, or none yet")
    add(constraints).add_argument("sbom", type=Path, help="the SBOM")
    add(gather).add_argument("folder", type=Path, help="the folder of all files")
    options = parser.parse_args()
    try:
        found: list[str] = options.run(options)
    except ValueError as error:
        found = [str(error)]
    for problem in found:
        sys.stderr.write(f"error: {problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
