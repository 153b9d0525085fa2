"""Which files a path, a folder or a pattern stands for, and what is said of wrong ones."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from oci_merge.errors import UsageError
from oci_merge.operations.source_files import read_source_files

BUILDERS = Path(__file__).parents[3] / "fixtures" / "builders"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, content: str = "") -> str:
    """Write a file, and return its path."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return path


def digests(*files: str) -> list[str]:
    return [image.digest for image in read_source_files(files)]


def refusal(*files: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_source_files(files)
    assert caught.value.hint
    return caught.value


def test_files_are_read_in_the_order_in_which_they_are_given() -> None:
    write("b", digest(1))
    write("a", digest(2))
    assert digests("b", "a") == [digest(1), digest(2)]


def test_a_folder_stands_for_its_files_by_name_and_those_of_its_folders() -> None:
    # What actions/download-artifact makes without merge-multiple.
    write(f"digests/digests-linux-arm64/{1:064x}")
    write(f"digests/digests-linux-amd64/{2:064x}")
    write("digests/digest-armv7.txt", digest(3))
    assert digests("digests") == [digest(3), digest(2), digest(1)]
    assert digests("digests/") == [digest(3), digest(2), digest(1)]


def test_the_files_of_a_pattern_come_in_the_order_of_their_names() -> None:
    for number, name in enumerate(["arm64", "amd64", "riscv64"]):
        write(f"out/{name}.json", f'{{"containerimage.digest": "{digest(number)}"}}')
        write(f"out/{name}.log", "not read")
    assert digests("out/*.json") == [digest(1), digest(0), digest(2)]
    assert digests("out/a[mr]*.json") == [digest(1), digest(0)]
    assert digests("**/*64.json") == [digest(1), digest(0), digest(2)]


def test_a_pattern_may_match_folders() -> None:
    write(f"digests/linux-amd64/{1:064x}")
    write(f"digests/linux-arm64/{2:064x}")
    assert digests("digests/*") == digests("digests/**") == [digest(1), digest(2)]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file() -> None:
    write("digest[amd64]", digest(1))
    write("digesta", digest(2))
    assert digests("digest[amd64]") == [digest(1)]


def test_hidden_files_of_a_folder_are_left_out() -> None:
    write("digests/.gitkeep")
    write("digests/.cache/x", "not read")
    write(f"digests/{1:064x}")
    assert digests("digests") == [digest(1)]


def test_links_are_followed_as_in_a_volume_of_kubernetes() -> None:
    write("volume/..2026_11_02/digest", digest(1))
    os.symlink("..2026_11_02", "volume/..data")
    os.symlink("..data/digest", "volume/digest")
    assert digests("volume") == [digest(1)]


def test_an_image_that_several_files_name_is_taken_once() -> None:
    write("digests/a", digest(1))
    write("digests/b", f"reg.example/app@{digest(1)}\n{digest(2)}")
    (first, second) = read_source_files(["digests", "digests/a", "digests/*"])
    assert (first.digest, second.digest) == (digest(1), digest(2))
    assert [str(name) for name in first.names] == [f"reg.example/app@{digest(1)}"]


@pytest.mark.parametrize(
    "opened",
    [io.BytesIO(digest(1).encode()), io.StringIO(digest(1) + "\n")],
    ids=["bytes", "text"],
)
def test_an_open_file_is_read(opened: io.BytesIO | io.StringIO) -> None:
    assert [image.digest for image in read_source_files([opened])] == [digest(1)]


def test_an_open_file_is_called_by_its_name() -> None:
    write("digests/amd64", "nonsense")
    with open("digests/amd64", "rb") as opened, pytest.raises(UsageError) as caught:
        read_source_files([opened])
    assert str(caught.value).startswith("digests/amd64 is no builder's file")
    with pytest.raises(UsageError, match=r"^the open file is empty"):
        read_source_files([io.BytesIO()])


def test_a_closed_file_is_an_error() -> None:
    opened = io.BytesIO()
    opened.close()
    with pytest.raises(UsageError, match="the open file cannot be read"):
        read_source_files([opened])


def test_a_file_that_is_not_there_is_an_error() -> None:
    error = refusal("digests/amd64")
    assert str(error) == "digests/amd64 cannot be read: No such file or directory"


def test_an_empty_name_is_an_error() -> None:
    assert "perhaps the variable for it is empty" in refusal("").hint


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    assert str(refusal("digests/*.json")) == "no file matches 'digests/*.json'"
    os.makedirs("digests/folder")
    assert str(refusal("digests/**")) == "no file matches 'digests/**'"


def test_an_empty_folder_is_an_error() -> None:
    os.makedirs("digests/digests-linux-amd64")
    assert str(refusal("digests")) == "the folder digests has no file in it"


def test_a_file_in_a_folder_that_no_builder_wrote_is_an_error() -> None:
    write(f"build/{1:064x}")
    write("build/main.o", "\0\1")
    assert str(refusal("build")) == "build/main.o is not text"
    write("build/main.o")
    assert str(refusal("build")) == "build/main.o is empty"


def test_an_oci_image_layout_is_no_folder_of_digests() -> None:
    write("image/oci-layout", '{"imageLayoutVersion": "1.0.0"}')
    write(f"image/blobs/sha256/{1:064x}")
    assert str(refusal("image")) == (
        "the folder image is an OCI image layout, not a folder of digests"
    )


def test_a_folder_with_many_files_is_refused_before_all_are_read() -> None:
    for number in range(1001):
        write(f"many/{number:064x}")
    assert "has more than 1000 files" in str(refusal("many"))


def test_links_in_a_circle_come_to_an_end() -> None:
    write(f"circle/{1:064x}")
    os.symlink(".", "circle/again")
    assert "has more than 8 levels" in str(refusal("circle"))


def test_a_pipe_in_a_folder_is_not_waited_for() -> None:
    os.makedirs("digests")
    os.mkfifo("digests/pipe")
    assert str(refusal("digests")) == "digests/pipe is neither a file nor a folder"


def test_a_link_to_nothing_is_an_error() -> None:
    os.makedirs("digests")
    os.symlink("gone", "digests/amd64")
    assert str(refusal("digests")).startswith("digests/amd64 cannot be read")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no endless device")
def test_an_endless_file_is_read_to_a_bound() -> None:
    assert "/dev/zero has more than 16 MiB" in str(refusal("/dev/zero"))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_error() -> None:
    os.chmod(write("digest", digest(1)), 0)
    assert "Permission denied" in str(refusal("digest"))


def test_jib_s_folder_is_refused_for_the_id_in_it() -> None:
    assert "jib/jib-image.id holds the ID of an image" in str(refusal(str(BUILDERS / "jib")))
