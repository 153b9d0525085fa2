"""What a merge writes for the next job: files that the user named, and those of a runner."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from oci_merge_cli.output.github import write_step
from tests.ci_systems import COMMANDS, Says
from tests.cli.running import Program

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ALL = ("--digest-file", "--metadata-file", "--dotenv")
#: What no shell reads as anything but text, and GitLab does not expand.
PLAIN = re.compile(r"[A-Za-z0-9._:/@,\[\]-]+")


@pytest.fixture
def digest_of(registry: EmbeddedRegistry) -> Callable[[str], str]:
    """Returns the digest of a tag of the target."""

    def find(tag: str) -> str:
        return registry.storage.repositories["team/img"].tags[tag]

    return find


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The files for outputs and the summary that a runner of GitHub made."""
    files = (tmp_path / "set_output", tmp_path / "step_summary")
    for file, variable in zip(files, ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"), strict=True):
        file.touch()
        monkeypatch.setenv(variable, str(file))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return files


def read_dotenv(text: str) -> dict[str, str]:
    """Read a dotenv report by GitLab's rules: Ci::ParseDotenvArtifactService."""
    found: dict[str, str] = {}
    assert len(text.encode()) < 5120
    for line in text.splitlines():
        matched = re.match(r"(.*?)=(.*)$", line)
        assert matched is not None, "Invalid Format"
        key, value = (part.strip() for part in matched.groups())
        assert re.fullmatch(r"[A-Za-z0-9_]+", key)
        found[key] = value
    return found


def read_outputs(text: str) -> dict[str, str]:
    """Read the outputs of a step as GitHub's runner does, and Gitea's."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if not line:
            continue
        name, heredoc, delimiter = line.partition("<<")
        if "=" in name or not heredoc:
            name, equals, value = line.partition("=")
            assert equals, f"Invalid format {line!r}"
            found[name] = value
            continue
        value_lines = []
        while (following := next(lines)) != delimiter:
            value_lines.append(following)
        found[name] = "\n".join(value_lines)
    return found


def test_the_metadata_file_has_buildx_s_keys(
    program: Program,
    merge_arguments: list[str],
    host: str,
    digest_of: Callable[[str], str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "metadata.json"
    outcome = program(*merge_arguments, "--tags", "latest", "--metadata-file", str(file))
    size = int(outcome.stdout.split()[-1])
    assert outcome.status == 0
    assert json.loads(file.read_text()) == {
        "containerimage.descriptor": {
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": digest_of("1.0"),
            "size": size,
        },
        "containerimage.digest": digest_of("1.0"),
        "image.name": f"{host}/team/img:1.0,{host}/team/img:latest",
    }


def test_the_dotenv_file_has_variables_that_gitlab_takes(
    program: Program,
    merge_arguments: list[str],
    host: str,
    digest_of: Callable[[str], str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "merge.env"
    arguments = [*merge_arguments, "--target", f"{host}/other/img:2.0", "--tags", "latest"]
    assert program(*arguments, "--dotenv", str(file)).status == 0
    assert read_dotenv(file.read_text()) == {
        "OCI_MERGE_DIGEST": digest_of("1.0"),
        "OCI_MERGE_IMAGE": f"{host}/team/img",
        "OCI_MERGE_REFERENCE": f"{host}/team/img@{digest_of('1.0')}",
        "OCI_MERGE_CHANGED": "true",
        "OCI_MERGE_TAGS": ",".join(
            f"{host}/{name}"
            for name in ("team/img:1.0", "team/img:latest", "other/img:2.0", "other/img:latest")
        ),
    }
    assert program(*arguments, "--dotenv", str(file)).status == 0
    assert read_dotenv(file.read_text())["OCI_MERGE_CHANGED"] == "false"


def test_a_shell_reads_the_dotenv_file_too(
    program: Program, merge_arguments: list[str], host: str, tmp_path: Path
) -> None:
    arguments = [*merge_arguments, "--tags", "latest", "--dotenv", str(tmp_path / "merge.env")]
    assert program(*arguments).status == 0
    shell = 'set -eu; . ./merge.env; echo "$OCI_MERGE_TAGS" | tr , "\\n"'
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"{host}/team/img:1.0", f"{host}/team/img:latest"]


def test_other_lines_of_a_dotenv_file_stay_as_they_are(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "build.env"
    others = b"VERSION=1.0\r\n\nOCI_MERGE_USERNAME=ci\n"
    file.write_bytes(b"\xef\xbb\xbf" + others + b"OCI_MERGE_DIGEST=old\nOTHER=a=b")
    for _ in range(2):
        assert program(*merge_arguments, "--dotenv", str(file)).status == 0
        text = file.read_bytes()
        assert text.startswith(others + b"OTHER=a=b\nOCI_MERGE_DIGEST=sha256:")
        assert text.count(b"\n") == 4 + 5


def test_a_dotenv_file_that_is_not_text_is_refused_before_the_first_request(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "build.env"
    file.write_bytes("VERSION=1.0\n".encode("utf-16"))  # as PowerShell writes it
    outcome = program(*merge_arguments, "--dotenv", str(file))
    assert outcome.status == 2
    assert outcome.errors[0] == f"error: the dotenv file {file} is there, and is not UTF-8 text"
    assert not registry.requests
    assert file.read_bytes() == "VERSION=1.0\n".encode("utf-16")


def test_tags_that_are_too_long_for_gitlab_are_left_out_with_a_warning(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "merge.env"
    tags = ",".join(f"tag-{number:0100}" for number in range(60))
    outcome = program(*merge_arguments, "--tags", tags, "--dotenv", str(file))
    assert outcome.status == 0
    assert sorted(read_dotenv(file.read_text())) == [
        *("OCI_MERGE_CHANGED", "OCI_MERGE_DIGEST", "OCI_MERGE_IMAGE", "OCI_MERGE_REFERENCE")
    ]
    [warning] = [line for line in outcome.errors if line.startswith("warning: ")]
    assert warning.startswith("warning: OCI_MERGE_TAGS is left out of the dotenv file: with it,")


def test_a_step_gets_outputs_and_a_summary(
    program: Program,
    merge_arguments: list[str],
    host: str,
    digest_of: Callable[[str], str],
    runner: tuple[Path, Path],
) -> None:
    outputs, summary = runner
    outputs.write_text("before=1\nunfinished=2")
    summary.write_text("# Mine")
    outcome = program(*merge_arguments, "--tags", "latest", "--output", "json")
    found = read_outputs(outputs.read_text())
    assert outcome.status == 0
    assert json.loads(found.pop("json")) == json.loads(outcome.stdout)
    assert found == {
        "before": "1",
        "unfinished": "2",
        "digest": digest_of("1.0"),
        "image": f"{host}/team/img",
        "reference": f"{host}/team/img@{digest_of('1.0')}",
        "tags": f"{host}/team/img:1.0\n{host}/team/img:latest",
        "changed": "true",
    }
    page = MarkdownIt().enable("table").parse(summary.read_text())
    cells = [token.children for token in page if token.type == "inline"]
    texts = ["".join(part.content for part in cell or () if part.type == "text") for cell in cells]
    assert texts[:2] == ["Mine", f"oci-merge: {host}/team/img:1.0"]
    assert [text for text in texts if text.startswith("linux/")] == [
        *("linux/amd64", "linux/arm64", "linux/arm/v7")
    ]
    assert texts[-4:] == [f"{host}/team/img:1.0", "moved", f"{host}/team/img:latest", "moved"]


def test_a_summary_stands_by_itself_between_those_of_others(
    program: Program, merge_arguments: list[str], runner: tuple[Path, Path]
) -> None:
    runner[1].write_text("<details></details>\n")
    assert program(*merge_arguments).status == 0
    with runner[1].open("a") as summary:
        summary.write("after\n")
    page = MarkdownIt().enable("table").parse(runner[1].read_text())
    top = [token.type for token in page if token.level == 0 and token.nesting != -1]
    assert top == [
        *("html_block", "heading_open", "paragraph_open", "table_open", "table_open"),
        "paragraph_open",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_of_an_image_gets_out_of_its_place(
    command: str,
    program: Program,
    registry: EmbeddedRegistry,
    host: str,
    runner: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    text = f"{command}|<img src=x>`[a](http://b)**@team a@b.example #1 www.evil.example\\|\\"
    registry.hooks.append(Says(text))
    registry.add_image("team/evil", "1", build_image("linux", text))
    dotenv = tmp_path / "merge.env"
    outcome = program(
        *("--source", f"{host}/team/evil:1", "--target", f"{host}/team/img:1.0"),
        *("--dotenv", str(dotenv), "--output", "json"),
    )
    assert outcome.status == 0
    found = read_outputs(runner[0].read_text())
    assert sorted(found) == ["changed", "digest", "image", "json", "reference", "tags"]
    values = [value for name, value in found.items() if name != "json"]
    assert all(PLAIN.fullmatch(value) for value in values)
    assert all(PLAIN.fullmatch(value) for value in read_dotenv(dotenv.read_text()).values())
    assert json.loads(found["json"]) == json.loads(outcome.stdout)
    assert "<img src=x>" in json.loads(found["json"])["platforms"][0]["platform"]
    _assert_shows_text_alone(runner[1].read_text())


def _assert_shows_text_alone(summary: str) -> None:
    """Check that a summary has our own markup and text, as an independent parser reads it."""
    page = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(summary)
    inline = [part for token in page if token.type == "inline" for part in token.children or ()]
    assert {part.type for part in inline} <= {"text", "html_inline", "softbreak"}
    assert {part.content for part in inline if part.type == "html_inline"} == {
        *("<code>", "</code>", "<!-- -->")
    }
    blocks = {token.type.rpartition("_")[0] for token in page if token.type != "inline"}
    assert blocks <= {
        *("heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td"),
        *("bullet_list", "list_item"),
    }
    rows = [line for line in summary.splitlines() if line.startswith("| <code>linux/")]
    assert [row.count("|") for row in rows] == [4]
    # What GitHub makes links of without markup.
    assert not re.search(r"@\w|#\d+(?!\d*;)|www\.|://|&#64;(?!<!-- -->)", summary)


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({}, ["--no-github"]),
        ({}, ["--dry-run"]),
        ({"GITHUB_ACTIONS": ""}, []),
        ({"GITHUB_ACTIONS": "false"}, []),
    ],
)
def test_a_runner_s_files_stay_empty(
    variables: dict[str, str],
    arguments: list[str],
    program: Program,
    merge_arguments: list[str],
    runner: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert program(*merge_arguments, *arguments).status == 0
    assert [file.read_text() for file in runner] == ["", ""]


def test_a_runner_that_gives_no_summary_gets_the_outputs(
    program: Program,
    merge_arguments: list[str],
    runner: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    outcome = program(*merge_arguments)
    assert outcome.status == 0
    assert "warning" not in outcome.stderr
    assert "digest" in read_outputs(runner[0].read_text())


def test_a_runner_s_file_that_is_not_there_is_a_warning(
    program: Program,
    merge_arguments: list[str],
    host: str,
    runner: tuple[Path, Path],
) -> None:
    runner[0].unlink()  # as in a container that the file is not mounted into
    outcome = program(*merge_arguments)
    assert outcome.status == 0
    assert outcome.stdout.startswith("Digest: ")
    assert outcome.errors[-1] == (
        f"warning: {host}/team/img:1.0 is published, but {runner[0]}, which GITHUB_OUTPUT names, "
        "could not be written: No such file or directory; --no-github leaves it alone"
    )
    assert not runner[0].exists()
    assert runner[1].read_text()


def test_a_summary_that_github_would_drop_for_its_size_is_left_out(
    program: Program, merge_arguments: list[str], runner: tuple[Path, Path]
) -> None:
    runner[1].write_bytes(b"x" * 999_900)
    outcome = program(*merge_arguments)
    assert outcome.status == 0
    assert runner[1].stat().st_size == 999_900
    assert outcome.errors[-1].startswith("warning: the step summary is left out: it has 999900")


def test_what_is_too_large_for_github_is_cut_or_left_out(
    host: str, merge_arguments: list[str], runner: tuple[Path, Path]
) -> None:
    merged = oci_merge.merge(f"{host}/team/img:1.0", template=merge_arguments[3])
    tags = tuple(oci_merge.TagResult(f"tag-{number:0100}", True) for number in range(3000))
    large = replace(merged, targets=(replace(merged.targets[0], tags=tags),))
    warnings: list[str] = []
    write_step(large, os.environ, warnings.append)
    assert sorted(read_outputs(runner[0].read_text())) == [
        *("changed", "digest", "image", "reference", "tags")
    ]
    [warning] = warnings
    assert warning.startswith("the output json is left out: the result has ")
    summary = runner[1].read_text()
    assert len(summary) < 70_000
    shown = summary.count("moved")
    assert f"| and {3000 - shown} more |  |\n" in summary
    assert shown > 100


@pytest.mark.parametrize("option", ALL)
@pytest.mark.parametrize("path", [".", "none/file", "-"])
def test_a_file_that_cannot_be_written_is_refused_before_the_first_request(
    path: str,
    option: str,
    program: Program,
    registry: EmbeddedRegistry,
    merge_arguments: list[str],
) -> None:
    for more in ([], ["--dry-run"]):
        outcome = program(*merge_arguments, option, path, *more)
        assert outcome.status == 2
        assert ("names no file" if path == "-" else "cannot be written") in outcome.errors[0]
    assert not registry.requests


def test_two_options_name_two_files(
    program: Program, registry: EmbeddedRegistry, merge_arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    outcome = program(
        *(*merge_arguments, "--metadata-file", str(tmp_path / "file")),
        *("--dotenv", str(tmp_path / "link")),
    )
    assert outcome.status == 2
    assert outcome.errors == [
        "error: --metadata-file and --dotenv name the same file",
        "hint: give each a file of its own",
    ]
    assert not registry.requests
    both = [part for option in ALL for part in (option, os.devnull)]
    assert program(*merge_arguments, *both).status == 0


@pytest.mark.parametrize("broken", ALL)
def test_a_file_that_fails_after_all_leaves_the_others_written(
    broken: str,
    program: Program,
    merge_arguments: list[str],
    host: str,
    digest_of: Callable[[str], str],
    runner: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    files = {option: tmp_path / option for option in ALL} | {broken: Path("/dev/full")}
    options = [part for option, file in files.items() for part in (option, str(file))]
    outcome = program(*merge_arguments, *options, "--output", "json")
    assert outcome.status == 1
    assert json.loads(outcome.stdout)["error"]["code"] == "output"
    assert outcome.errors[-1] == (
        f"error: {host}/team/img:1.0 is published as {digest_of('1.0')}, but the "
        f"{broken.strip('-').partition('-')[0]} file /dev/full could not be written: "
        "No space left on device"
    )
    for option in ALL:
        if option != broken:
            assert digest_of("1.0") in files[option].read_text()
    assert digest_of("1.0") in runner[0].read_text()


def test_nothing_is_written_after_a_failure(
    program: Program, host: str, runner: tuple[Path, Path], tmp_path: Path
) -> None:
    options = [part for option in ALL for part in (option, str(tmp_path / option))]
    outcome = program(
        *("--source", f"{host}/team/none:1.0", "--target", f"{host}/team/img:1.0", *options)
    )
    assert outcome.status == 1
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "set_output": "",
        "step_summary": "",
    }


def test_a_dry_run_creates_no_file(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    before = tmp_path.stat().st_mtime_ns
    options = [part for option in ALL for part in (option, str(tmp_path / option))]
    assert program(*merge_arguments, "--dry-run", *options).status == 0
    assert not list(tmp_path.iterdir())
    assert tmp_path.stat().st_mtime_ns == before


def test_a_push_writes_them_too(
    program: Program, merge_arguments: list[str], runner: tuple[Path, Path], tmp_path: Path
) -> None:
    options = [part for option in ALL for part in (option, str(tmp_path / option))]
    outcome = program("push", "from-args", *merge_arguments, *options)
    digest = outcome.stdout.split()[1]
    assert outcome.status == 0
    for file in (*(tmp_path / option for option in ALL), *runner):
        assert digest in file.read_text().replace("&#58;", ":")


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    file, link = tmp_path / "metadata.json", tmp_path / "link"
    file.write_text("{}")
    file.chmod(0o640)
    link.symlink_to(file)
    with file.open() as reader:
        assert program(*merge_arguments, "--metadata-file", str(link)).status == 0
        assert reader.read() == "{}"  # who read it before still reads the old one
    assert link.is_symlink()
    assert "containerimage.digest" in json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "metadata.json"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="root alone gives files away")
def test_a_file_of_somebody_else_stays_theirs(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "merge.env"
    file.touch()
    os.chown(file, 65534, 65534)
    assert program(*merge_arguments, "--dotenv", str(file)).status == 0
    assert file.stat().st_uid == 65534
    assert "OCI_MERGE_DIGEST=" in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["merge.env"]


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="descriptors have no paths here")
def test_a_pipe_of_the_shell_is_a_file(program: Program, merge_arguments: list[str]) -> None:
    reading, writing = os.pipe()  # as >(jq .) of bash gives one
    try:
        assert program(*merge_arguments, "--metadata-file", f"/dev/fd/{writing}").status == 0
    finally:
        os.close(writing)
    with open(reading) as pipe:
        assert "containerimage.digest" in json.load(pipe)


def test_a_new_file_has_the_mode_that_the_user_gives_to_new_files(
    program: Program, merge_arguments: list[str], tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        assert program(*merge_arguments, "--dotenv", str(tmp_path / "merge.env")).status == 0
    finally:
        os.umask(before)
    assert (tmp_path / "merge.env").stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_replaced_is_written_in_its_place(
    program: Program,
    merge_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(16, "Device or resource busy")  # as for a file mounted into a container

    monkeypatch.setattr(os, "replace", refuse)
    assert program(*merge_arguments, "--digest-file", str(tmp_path / "digest")).status == 0
    assert DIGEST.fullmatch((tmp_path / "digest").read_text())
    assert [file.name for file in tmp_path.iterdir()] == ["digest"]


@pytest.mark.parametrize("option", ALL)
def test_a_file_with_an_empty_name_is_told_to_be_perhaps_a_variable_that_is_not_set(
    option: str, program: Program, registry: EmbeddedRegistry, merge_arguments: list[str]
) -> None:
    outcome = program(*merge_arguments, option, "")
    assert outcome.status == 2
    assert outcome.errors[1] == "hint: name a file; perhaps the variable for it is empty"
    assert not registry.requests
