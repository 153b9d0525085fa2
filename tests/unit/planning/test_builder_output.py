"""What builders write of the images that they pushed, and files that none of them wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.errors import UsageError
from oci_merge.model.digest import is_bare_digest
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.planning.builder_formats import named_digest, read_builder_output
from oci_merge.planning.builder_output import BuiltImage, distinct_images, locate

BUILDERS = Path(__file__).parents[3] / "fixtures" / "builders"
#: What the fixtures call the images and an index of both; ID is the digest of a config.
AMD64 = "sha256:baf0239e48ff4c47ebac3ba02b5cf1506b69cd5a0c0d0c825a53ba65976fb942"
ARM64 = "sha256:b3e3ab55f887c56c0bd8bec3743b0fb54daaa17861e03db5133ef2835eb0da5a"
INDEX = "sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6"
ID = "sha256:4a0e06d3ca2e0db56ad43a4d2fa8618ee13154b9e361461ec46d5e666e70dd06"
SHA512 = "sha512:" + "ab" * 64

APP = "reg.example/team/app"

#: Each file with the images that it names: a digest, and the names of that image.
KNOWN = [
    ("kaniko/digest-file", [(AMD64,)]),
    (
        "kaniko/image-name-with-digest-file",
        [(AMD64, f"{APP}-amd64"), (AMD64, "docker.io/team/app-amd64")],
    ),
    (
        "kaniko/image-name-tag-with-digest-file",
        [(AMD64, f"{APP}-amd64:1.0"), (AMD64, "docker.io/team/app-amd64:latest")],
    ),
    (
        "kaniko/builder-output-images",
        [(AMD64, f"{APP}:1.0-amd64"), (AMD64, "other.example/app:latest")],
    ),
    ("buildah/digestfile", [(ARM64,)]),
    ("buildx/metadata.json", [(INDEX, f"{APP}:1.0", "docker.io/team/app:latest")]),
    ("buildx/push-by-digest.json", [(AMD64,)]),
    ("buildx/bake.json", [(AMD64, f"{APP}:1.0-amd64"), (ARM64, f"{APP}:1.0-arm64")]),
    ("build-push-action/outputs.json", [(AMD64, "ghcr.io/team/app")]),
    ("jib/jib-image.json", [(AMD64, f"{APP}:1.0")]),
    ("jib/jib-image.digest", [(AMD64,)]),
    ("ko/image-refs", [(INDEX, APP), (AMD64, APP), (ARM64, APP)]),
    ("crane/push", [(AMD64, APP)]),
    ("goreleaser/digests.txt", [(AMD64, f"{APP}:1.0-amd64"), (ARM64, f"{APP}:1.0-arm64")]),
    ("skaffold/builds.json", [(AMD64, f"{APP}:1.0")]),
    ("oras/push.json", [(AMD64, APP)]),
    ("bazel/image.json.sha256", [(AMD64,)]),
    ("oci-merge/stdout", [(INDEX,)]),
    ("windows/powershell.txt", [(AMD64,), (ARM64,)]),
    (f"digests/digests-linux-amd64/{AMD64[7:]}", [(AMD64,)]),
]


def named(content: str | bytes, path: str = "file") -> list[tuple[str, ...]]:
    """Return each image of a file as its digest and its names."""
    raw = content.encode() if isinstance(content, str) else content
    return [
        (image.digest, *(str(name).partition("@")[0] for name in image.names))
        for image in read_builder_output(raw, path).images
    ]


def refusal(content: str | bytes, path: str = "digests/amd64") -> UsageError:
    with pytest.raises(UsageError) as caught:
        named(content, path)
    return caught.value


@pytest.mark.parametrize(("file", "images"), KNOWN, ids=[file for file, _ in KNOWN])
def test_a_builders_file_is_known_by_its_content(file: str, images: list[tuple[str, ...]]) -> None:
    path = BUILDERS / file
    assert named(path.read_bytes(), str(path)) == images


@pytest.mark.parametrize(
    ("content", "images"),
    [
        # Three files of kaniko's, in one by cat.
        (AMD64 + ARM64 + INDEX, [(AMD64,), (ARM64,), (INDEX,)]),
        (f"{AMD64}\r\n{ARM64}\r\n", [(AMD64,), (ARM64,)]),
        (f"\ufeff{AMD64}\n", [(AMD64,)]),
        (f"# of job 17\n\n  {AMD64}  \n", [(AMD64,)]),
        (AMD64[7:], [(AMD64,)]),
        (SHA512, [(SHA512,)]),
        (f"{APP}@{AMD64} {APP}@{ARM64} ", [(AMD64, APP), (ARM64, APP)]),
        (f"localhost:5000/app@{AMD64}", [(AMD64, "localhost:5000/app")]),
        (f"Digest: {AMD64}", [(AMD64,)]),
        (f"digest={AMD64}\nIMAGE_DIGEST={ARM64}", [(AMD64,), (ARM64,)]),
        (json.dumps(AMD64), [(AMD64,)]),
        (json.dumps([AMD64, f"{APP}@{ARM64}"]), [(AMD64,), (ARM64, APP)]),
        # jq -s, and cat, of two files of buildx.
        (
            json.dumps([{"containerimage.digest": AMD64}, {"containerimage.digest": ARM64}]),
            [(AMD64,), (ARM64,)],
        ),
        (
            json.dumps({"containerimage.digest": AMD64})
            + json.dumps({"containerimage.digest": ARM64}),
            [(AMD64,), (ARM64,)],
        ),
        (json.dumps({"containerimage.descriptor": {"digest": AMD64}}), [(AMD64,)]),
        (json.dumps({"containerimage.digest": AMD64, "image.name": ""}), [(AMD64,)]),
        (
            json.dumps({"containerimage.digest": AMD64, "image.name": f"{APP}:1@{AMD64}"}),
            [(AMD64, f"{APP}:1")],
        ),
        (json.dumps({"digest": AMD64, "imageid": AMD64, "metadata": "{}"}), [(AMD64,)]),
        (json.dumps({"digest": AMD64, "platform": "linux/amd64"}), [(AMD64,)]),
    ],
)
def test_so_is_what_shells_and_scripts_make_of_them(
    content: str, images: list[tuple[str, ...]]
) -> None:
    assert named(content) == images


@pytest.mark.parametrize(
    ("path", "digest"),
    [
        (f"digests/{AMD64[7:]}", AMD64),
        (f"digests/digests-linux-arm-v7/{AMD64}", AMD64),
        (f"digests\\sha256-{AMD64[7:]}", AMD64),
        (AMD64.replace(":", "_"), AMD64),
        (SHA512[7:], SHA512),
        (f"sha512-{AMD64[7:]}", None),
        (f"{AMD64[7:]}.txt", None),
        (AMD64[7:].upper(), None),
        (f"{AMD64[7:]}/digest.txt", None),
        (AMD64[7:-1], None),
    ],
)
def test_a_name_may_be_the_digest(path: str, digest: str | None) -> None:
    assert named_digest(path) == digest


def test_a_file_named_by_a_digest_is_read_where_it_has_content() -> None:
    assert named(ARM64, f"digests/{AMD64[7:]}") == [(ARM64,)]
    assert named(" \n", f"digests/{AMD64[7:]}") == [(AMD64,)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("# nothing\n", "names no image"),
        ("[]", "names no image"),
        (b"\x7fELF\x02\x01\x00\xff", "is not text"),
        ("hello world", "is no builder's file that is known: line 1 has 'hello'"),
        (f"{AMD64}\nerror: denied", "line 2 has 'error:'"),
        ("sha256:4355", "'sha256:4355' is not a digest"),
        ("digest=", "line 1 has 'digest='"),
        (f"CONFIG_DIGEST={AMD64}", "line 1 has 'CONFIG_DIGEST="),
        # Of sha256sum, and beside GoReleaser's digests.txt.
        (f"{AMD64[7:]}  app.tar.gz", "line 1 has 'app.tar.gz'"),
        (AMD64.upper(), "line 1 has 'SHA256:"),
        (f"{APP}@", "has a wrong name in line 1"),
        (f"https://{APP}@{AMD64}", "starts with a scheme"),
        (f"{APP}:1.0", "names reg.example/team/app:1.0 without a digest in line 1"),
        ("$DIGEST", "has '$DIGEST' in line 1"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("[1]", "has 1 in it"),
        ("{}", "is no builder's JSON that is known: it has nothing"),
        ('{"version": 1}', "it has version"),
        ('{"digest": ""}', "has no digest for an image"),
        ('{"digest": 7}', "has no digest for an image"),
        ('{"imageDigest": null, "image": "app"}', "has no digest for an image"),
        ('{"schemaVersion": 2, "manifests": []}', "is a manifest itself"),
        ('{"schemaVersion": 2, "config": {}, "layers": []}', "is a manifest itself"),
        ('{"buildx.build.ref": "a/b/c"}', "has no containerimage.digest"),
        ('{"app": {"buildx.build.ref": "a/b/c"}}', "no digest for any of bake's targets"),
        ('{"builds": [{"imageName": "app", "tag": "team/app:1.0"}]}', "without a digest"),
        ('{"builds": [{"imageName": "app"}]}', "has null in it"),
        (json.dumps({"containerimage.digest": AMD64, "image.name": "App"}), "image.name"),
        (json.dumps({"containerimage.digest": AMD64, "image.name": [APP]}), "image.name"),
        (
            json.dumps({"digest": AMD64, "mediaType": "application/vnd.oci.image.config.v1+json"}),
            "which is no image",
        ),
    ],
)
def test_what_no_builder_wrote_is_refused_with_what_was_expected(
    content: str | bytes, words: str
) -> None:
    error = refusal(content)
    assert str(error).startswith("digests/amd64 ")
    assert words in str(error)
    assert error.hint


def test_docker_s_driver_that_pushed_nothing_is_told_by_its_metadata() -> None:
    content = (BUILDERS / "buildx" / "docker-driver-without-push.json").read_bytes()
    error = refusal(content)
    assert "has the image's ID for its containerimage.digest" in str(error)
    assert "--push" in error.hint


def test_names_in_messages_are_printable() -> None:
    error = refusal("\x1b[31m", "digests/\x1b]0;pwned")
    assert "\x1b" not in str(error)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    images: tuple[BuiltImage, ...] = ()
    hint = ""
    try:
        images = read_builder_output(content, "file").images
    except UsageError as error:
        hint = error.hint
    assert images or hint


_KEYS = [
    *("digest", "image", "name", "metadata", "builds", "tag", "imageDigest", "imageid"),
    *("containerimage.digest", "containerimage.descriptor", "containerimage.config.digest"),
    *("image.name", "mediaType", "manifests"),
]
_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(AMD64),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        output = read_builder_output(json.dumps(value).encode(), "file")
    except UsageError:
        return
    assert {image.digest for image in output.images} == {AMD64}


def test_an_image_of_several_files_is_taken_once_with_all_of_its_names() -> None:
    files = ["jib/jib-image.digest", "jib/jib-image.json", "ko/image-refs", "kaniko/digest-file"]
    images = distinct_images(
        read_builder_output((BUILDERS / file).read_bytes(), file) for file in files
    )
    assert [image.digest for image in images] == [AMD64, INDEX, ARM64]
    assert list(map(str, images[0].names)) == [f"{APP}:1.0", f"{APP}@{AMD64}"]
    assert images[0].origin == "jib/jib-image.digest"


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_s_id_is_told_from_its_digest_where_another_file_says_so(order: int) -> None:
    files = ["jib/jib-image.json", "jib/jib-image.id"][::order]
    outputs = [read_builder_output((BUILDERS / file).read_bytes(), file) for file in files]
    with pytest.raises(UsageError, match=r"^jib/jib-image.id holds the ID of an image") as caught:
        distinct_images(outputs)
    assert "--iidfile" in caught.value.hint


def image(*names: str) -> BuiltImage:
    return BuiltImage(AMD64, tuple(map(parse_reference, names)), "digests/amd64")


def located(built: BuiltImage, repository: str | None = None, *targets: str) -> str:
    return str(
        locate(
            built,
            parse_reference(repository) if repository else None,
            [parse_reference(target) for target in targets or ("reg.example/app:1.0",)],
        )
    )


def test_an_image_is_fetched_by_its_digest_whatever_its_tag_is() -> None:
    assert located(image(f"{APP}:1.0")) == f"{APP}@{AMD64}"


def test_a_bare_digest_is_in_the_repository_that_was_named() -> None:
    assert located(image(), "reg.example/app") == f"reg.example/app@{AMD64}"


def test_a_bare_digest_without_a_repository_says_what_to_give() -> None:
    with pytest.raises(UsageError, match=r"^digests/amd64 has a digest, but not") as caught:
        located(image())
    assert "--source-repository" in caught.value.hint


def test_the_files_own_name_is_not_replaced() -> None:
    assert located(image(APP), "reg.example/app") == f"{APP}@{AMD64}"


@pytest.mark.parametrize(
    ("repository", "target", "place"),
    [
        (None, "c.example/app:1", "a.example/one"),
        (None, "b.example/app:1", "b.example/two"),
        (None, "b.example/three:1", "b.example/three"),
        ("a.example/one", "b.example/three:1", "a.example/one"),
        ("d.example/app", "c.example/app:1", "a.example/one"),
    ],
)
def test_of_several_repositories_the_nearest_to_the_target_is_read(
    repository: str | None, target: str, place: str
) -> None:
    built = image("a.example/one:1", "b.example/two:1", "b.example/three:1")
    assert located(built, repository, target) == f"{place}@{AMD64}"


@pytest.mark.parametrize(
    ("text", "is_bare"),
    [
        (AMD64, True),
        (SHA512, True),
        ("sha256:4355", True),
        ("sha256:", True),
        ("sha256", False),
        ("sha256:5000/app", False),
        (f"{APP}@{AMD64}", False),
        ("docker.io/library/sha256:1", False),
    ],
)
def test_a_digest_alone_is_no_image_of_docker_hub(text: str, is_bare: bool) -> None:
    assert is_bare_digest(text) is is_bare


def test_a_name_keeps_its_tag_for_messages() -> None:
    (built,) = read_builder_output(f"{APP}:1.0@{AMD64}".encode(), "file").images
    assert built.names == (Reference("reg.example", "team/app", "1.0", AMD64),)
