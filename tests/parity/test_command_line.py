"""How the command line is read: flags as Go programs have them, words, help, exit status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.parity import load_cases
from fixtures.tokens import Account
from oci_merge import __version__
from tests.cli.running import Outcome, run_process
from tests.parity.cases import Case, Entry, Index, check, from_args
from tests.parity.running import run_here

AMD64 = Entry("team/app-amd64:1.0", "linux/amd64")
ARM64 = Entry("team/app-arm64:1.0", "linux/arm64")
PART = Entry("team/part-amd64:1.0", "linux/amd64")
MISSING = "linux/amd64,linux/s390x", "team/part-ARCH:1.0"
LEFT_OUT = ("warning: ", "team/part-s390x:1.0 is left out, as it is not there")
SCRIPT = Path(sysconfig.get_path("scripts")) / "oci-merge"

FLAGS = [
    Case(
        name="flags with one dash",
        source="code",
        there="one dash or two is the same",
        argv="-plain-http push -type oci from-args -platforms linux/amd64 "
        "-template $REG/team/app-ARCH:1.0 -target $REG/team/out:1.0 -tags latest",
        index=Index([AMD64], oci=True, tags=("1.0", "latest")),
    ),
    Case(
        name="flags with one dash and an equals sign",
        source="code",
        there="a value may follow an equals sign",
        argv="-plain-http=true push -type=oci from-args -platforms=linux/amd64 "
        "-template=$REG/team/app-ARCH:1.0 -target=$REG/team/out:1.0 -annotations=a=b",
        index=Index([AMD64], oci=True, annotations={"a": "b"}),
    ),
    Case(
        name="flags with two dashes and an equals sign",
        source="code",
        there="a value may follow an equals sign",
        argv="--plain-http push --type=oci from-args --platforms=linux/amd64,linux/arm64 "
        "--template=$REG/team/app-ARCH:1.0 --target=$REG/team/out:1.0",
        index=Index([AMD64, ARM64], oci=True),
    ),
    Case(
        name="the type behind from-args",
        source="observed",
        there="it is refused there as not defined",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0", "--type", "oci"),
        index=Index([AMD64], oci=True),
        relation="better",
    ),
    Case(
        name="the type behind the file of from-spec",
        source="observed",
        there="a flag behind an argument is ignored silently",
        argv="push from-spec $DIR/spec.yml -type oci",
        spec="image: $REG/team/out:1.0\nmanifests: [{image: '$REG/team/app-amd64:1.0'}]\n",
        index=Index([AMD64], oci=True),
        relation="better",
    ),
    Case(
        name="the last type wins, wherever it stands",
        source="code",
        there="the last of several values wins",
        argv="push --type docker --type oci from-args -platforms linux/amd64 --type docker "
        "-template $REG/team/app-ARCH:1.0 -target $REG/team/out:1.0",
        index=Index([AMD64]),
        says=("warning: --type is given several times; the last one counts, as in manifest-tool",),
    ),
    Case(
        name="the last of several targets and templates wins",
        source="code",
        there="the last of several values wins",
        argv="push from-args -platforms linux/amd64 -template $REG/team/none-ARCH:1.0 "
        "--template=$REG/team/app-ARCH:1.0 -target $REG/team/none:1.0 "
        "--target $REG/team/out:1.0",
        index=Index([AMD64]),
        says=(
            "warning: --template is given several times; the last one counts, as in manifest-tool",
            "warning: --target is given several times; the last one counts, as in manifest-tool",
        ),
    ),
    Case(
        name="options of the registry behind push and behind from-args",
        source="observed",
        there="they are refused there as not defined",
        argv="push -plain-http from-args --debug=false -platforms linux/amd64 "
        "-template $REG/team/app-ARCH:1.0 -target $REG/team/out:1.0 -insecure=0",
        index=Index([AMD64]),
        relation="better",
    ),
    Case(
        name="ignore-missing behind the file of from-spec",
        source="observed",
        there="a flag behind an argument is ignored silently",
        argv="push from-spec $DIR/spec.yml --ignore-missing",
        spec="image: $REG/team/out:1.0\n"
        "manifests: [{image: '$REG/team/part-amd64:1.0'}, {image: '$REG/team/part-s390x:1.0'}]\n",
        index=Index([PART]),
        says=LEFT_OUT,
        relation="better",
    ),
    *(
        Case(
            name=f"ignore-missing as {flag}",
            source="code",
            there="1, t, T, true, TRUE and True turn a flag on",
            argv=from_args(*MISSING, *flag.split()),
            index=Index([PART]),
            says=LEFT_OUT,
        )
        for flag in ("--ignore-missing=true", "-ignore-missing=T", "--ignore-missing=1")
    ),
    *(
        Case(
            name=f"ignore-missing as {flag}",
            source="code",
            there="0, f, F, false, FALSE and False turn a flag off",
            argv=from_args(*MISSING, *flag.split()),
            exit=1,
            says=("team/part-s390x:1.0 was not found",),
        )
        for flag in (
            "--ignore-missing=false",
            "-ignore-missing=F",
            "--ignore-missing --ignore-missing=0",
        )
    ),
    Case(
        name="ignore-missing as what is neither true nor false",
        source="code",
        there="the value is refused",
        argv=from_args(*MISSING, "--ignore-missing=maybe"),
        exit=1,
        says=("--ignore-missing",),
        requests=0,
    ),
    Case(
        name="a flag that nobody knows",
        source="observed",
        there="it is refused as not defined",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0", "-bogus"),
        exit=1,
        requests=0,
    ),
    Case(
        name="a flag without its value",
        source="code",
        there="it is refused for lack of an argument",
        argv="push from-args --platforms",
        exit=1,
        says=("--platforms",),
        requests=0,
    ),
    Case(
        name="a word that from-args does not take",
        source="code",
        there="it is ignored silently, with all that follows it",
        argv=from_args("linux/amd64", "team/app-ARCH:1.0", "linux/arm64"),
        exit=1,
        says=("linux/arm64",),
        requests=0,
        relation="different",
    ),
    Case(
        name="all that is missing is named at once",
        source="observed",
        there="it names all required flags that are not set",
        argv="push from-args --platforms linux/amd64",
        exit=1,
        says=("missing options '--template', '--target'", "push from-args --help"),
        requests=0,
    ),
    *(
        Case(
            name=f"the type {kind!r}",
            source="observed",
            there="whatever is not oci makes a Docker list, silently",
            argv=from_args("linux/amd64", "team/app-ARCH:1.0", "--type", kind),
            exit=1,
            says=(f"'{kind}' is not one of 'docker', 'oci'",),
            requests=0,
            relation="better",
        )
        for kind in ("bogus", "OCI", "")
    ),
]


@pytest.mark.parametrize("case", FLAGS, ids=str)
def test_flags(case: Case, registry: EmbeddedRegistry, host: str, tmp_path: Path) -> None:
    check(case, registry, host, tmp_path)


@pytest.mark.parametrize("password", ["-abc", "--type", "-type=oci", "--", "--debug=true", "h"])
@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("dashes", ["-", "--"])
def test_a_value_is_taken_as_it_is_even_if_it_looks_like_a_flag(
    registry: EmbeddedRegistry, host: str, password: str, where: str, dashes: str
) -> None:
    """Code: there, a flag that takes a value takes the next argument, whatever that is."""
    account = Account("ci", password, {"team/*": frozenset({"pull", "push"})})
    registry.settings.auth = BasicAuth([account])
    credentials = [f"{dashes}username", "ci", f"{dashes}password", password]
    command = ["inspect", f"{host}/team/app-amd64:1.0"]

    outcome = run_here(
        *([*credentials, *command] if where == "before" else [*command, *credentials])
    )

    assert outcome.status == 0, outcome.stderr


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("", 0),
        ("push", 0),
        ("push -type oci", 0),
        ("help", 0),
        ("h", 0),
        ("-help", 0),
        ("-h", 0),
        ("push help", 0),
        ("push h", 0),
        ("push -help", 0),
        ("push help from-args", 0),
        ("push from-args help", 0),
        ("push from-args -help", 0),
        ("push from-spec h", 0),
        ("push from-spec --help", 0),
        ("inspect help", 0),
        ("inspect -help", 0),
        ("-version", 0),
        ("-v", 0),
        ("bogus", 3),
        ("help bogus", 3),
        ("push bogus", 3),
        ("push help bogus", 3),
        ("-debug bogus", 3),
        ("-username ci bogus", 3),
        ("-bogus push", 1),
        ("push -bogus", 1),
        ("push from-args", 1),
        ("push from-spec", 1),
        ("push from-spec -bogus x.yml", 1),
        ("inspect", 1),
        ("inspect -bogus a:1", 1),
        ("inspect a:1 b:1", 1),
        ("--type oci push from-args", 1),
    ],
)
def test_words_and_help_exit_as_there(line: str, status: int) -> None:
    """Observed: help is on stdout with 0, an unknown word exits with 3, other faults with 1."""
    outcome = run_here(*shlex.split(line))
    assert outcome.status == status
    assert bool(outcome.stdout) == (status == 0)
    assert bool(outcome.stderr) == (status != 0)


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("", "help"),
        ("push", "help push"),
        ("push from-args", "push help from-args"),
        ("push from-spec", "push help from-spec"),
        ("inspect", "help inspect"),
    ],
)
def test_help_of_a_command_is_the_same_however_it_is_asked_for(command: str, asked: str) -> None:
    """Observed: there, help and h are commands everywhere."""
    lines = [f"{command} {word}" for word in ("--help", "-h", "-help", "help", "h")]
    pages = {run_here(*line.split()).stdout for line in [*lines, asked]}
    assert len(pages) == 1
    assert pages.pop().startswith(f"Usage: oci-merge {command}".rstrip())


def test_success_is_one_line_on_stdout_and_nothing_on_stderr(host: str) -> None:
    """Observed: the line is the digest and the size, and nothing is on stderr."""
    arguments = from_args("linux/amd64", "team/app-ARCH:1.0").replace("$REG", host)
    outcome = run_process(*shlex.split(arguments))
    assert outcome == (
        0,
        "Digest: sha256:1e26176a3c1fc6e6e59cd88c6700d3ea7f4ff5e4f9546784402b2c9ce6829ba2 392\n",
        "",
    )


@pytest.fixture
def manifest_tool(tmp_path: Path) -> Path:
    """The script by the name of `manifest-tool`."""
    script = tmp_path / "bin" / "manifest-tool"
    script.parent.mkdir()
    script.symlink_to(SCRIPT)
    return script


def call(program: Path, arguments: Sequence[str]) -> Outcome:
    done = subprocess.run([program, *arguments], capture_output=True, env=os.environ, timeout=60)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    "name", ["extra tags", "from-spec", "inspect an image, raw", "unknown command"]
)
def test_by_the_name_of_manifest_tool_it_does_the_same(
    manifest_tool: Path, name: str, registry: EmbeddedRegistry, host: str, tmp_path: Path
) -> None:
    (case,) = (case for case in load_cases() if case.name == name)
    outcome = call(manifest_tool, case.arguments(host, tmp_path))
    assert outcome.status == case.exit
    assert outcome.stdout == case.output(host)
    for target, manifest in case.pushed.items():
        held = registry.storage.manifest(*target.split(":"))
        assert held is not None
        assert held.content == manifest.body


def test_by_the_name_of_manifest_tool_help_and_version_have_that_name(
    manifest_tool: Path,
) -> None:
    """Code: there, the name in the help is that of the program as it was called."""
    assert call(manifest_tool, ["--version"]) == (0, f"manifest-tool version {__version__}\n", "")
    assert (
        call(manifest_tool, ["-debug", "-version"]).stdout
        == f"manifest-tool version {__version__}\n"
    )
    ours = call(SCRIPT, ["push", "from-args", "--help"])
    theirs = call(manifest_tool, ["push", "from-args", "--help"])
    assert theirs == (0, ours.stdout.replace("oci-merge", "manifest-tool"), "")
    lacking = call(manifest_tool, ["push", "from-spec"])
    assert lacking.errors[1] == ("hint: run manifest-tool push from-spec --help to see its options")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("manifest-tool", "manifest-tool"), ("manifest", "oci-merge"), ("x", "oci-merge")],
)
def test_a_copy_of_the_script_goes_by_its_name_if_that_is_manifest_tool(
    tmp_path: Path, name: str, shown: str
) -> None:
    script = tmp_path / name
    script.write_bytes(SCRIPT.read_bytes())
    script.chmod(0o755)
    assert call(script, ["--version"]) == (0, f"{shown} version {__version__}\n", "")
