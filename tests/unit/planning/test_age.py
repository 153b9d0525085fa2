"""Which of two images is newer: versions, times and labels as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_merge.model.labels import ImageLabels
from oci_merge.planning.age import (
    CREATED,
    VERSION,
    Described,
    compare,
    compare_versions,
    parse_time,
)


def described(*images: ImageLabels | None, **annotations: str) -> Described:
    """Return what an index says; ``version`` and ``created`` are annotations."""
    keys = {"version": VERSION, "created": CREATED}
    return Described({keys[name]: value for name, value in annotations.items()}, images)


def image(version: str = "", *, label: str = "", created: str = "") -> ImageLabels:
    """Return what an image's config says: the labels version and created, and its own time."""
    labels = {key: value for key, value in ((VERSION, version), (CREATED, label)) if value}
    return ImageLabels(labels, created)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        # Semantic Versioning, section 11.
        ("1.0.0", "2.0.0"),
        ("2.0.0", "2.1.0"),
        ("2.1.0", "2.1.1"),
        ("1.0.0-alpha", "1.0.0"),
        ("1.0.0-alpha", "1.0.0-alpha.1"),
        ("1.0.0-alpha.1", "1.0.0-alpha.beta"),
        ("1.0.0-alpha.beta", "1.0.0-beta"),
        ("1.0.0-beta.2", "1.0.0-beta.11"),
        ("1.0.0-beta.11", "1.0.0-rc.1"),
        ("1.9.1", "v2.0.1"),
        ("V1.9", "1.10"),
        # Months with a zero, four numbers, a date as one number, dates with hyphens.
        ("2025.11.1", "2026.02.0"),
        ("4.0.9.2244-ls257", "4.0.19.2979-ls322"),
        ("1.2.3", "1.2.3.4"),
        ("1.2.3.4", "1.2.10"),
        ("20240315", "20260502"),
        ("2024-09-15", "2024-10-05"),
        ("3.284.9", "3.284.10-0360315"),
        ("1.2.3-alpine3.9", "1.2.3-alpine3.20"),
        ("8.5.0-beta-1111", "8.5.0-preview-1111"),
        ("v1.2.3-5-gabc1234", "v1.2.4-1-gabc1234"),
        ("1.0.0-rc1", "1.0.0-rc2"),
        (f"{10**50}.0", f"{10**50 + 1}.0"),
    ],
)
def test_versions_are_in_the_order_of_their_numbers_and_pre_releases(
    older: str, newer: str
) -> None:
    assert compare_versions(older, newer) == -1
    assert compare_versions(newer, older) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2.3", "v1.2.3"),
        ("1.2", "1.2.0"),
        ("1.2.3+build.4", "1.2.3+build.5"),
        ("1.2.3", "1.2.3+dirty"),
        (" 1.2.3 ", "1.2.3"),
        ("2024.01.15", "2024.1.15"),
        ("v1.2.3-5-gabc1234", "v1.2.3-5-gabc1234"),
    ],
)
def test_build_metadata_zeros_and_a_leading_v_do_not_tell_versions_apart(
    one: str, other: str
) -> None:
    assert compare_versions(one, other) == compare_versions(other, one) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # By the letter these are in another order than by their numbers.
        ("1.0.0-rc9", "1.0.0-rc10"),
        ("v8.9.0-ls99", "v8.9.0-ls101"),
        # git describe: five commits after 1.2.3, which reads as a pre-release of it.
        ("v1.2.3", "v1.2.3-5-gabc1234"),
        ("v1.2.3-5-gabc1234", "v1.2.3-12-gdef5678-dirty"),
        *(("1.2.3", word) for word in ("main", "", "sha-1a2b3c4", "7-alpine", "1.2.3rc1", "1.x")),
        *(
            ("1.2.3", word)
            for word in ("refs/tags/v1.2.3", "1..2", "1.2.3-", "1.2.3-a..b", "1.\uff12")
        ),
        ("1.2.3", "9" * 5000),
        ("1.2.3", "1.2.3.4.5.6.7.8.9"),
    ],
)
def test_what_is_no_version_or_has_no_sure_order_is_not_compared(one: str, other: str) -> None:
    assert compare_versions(one, other) is None
    assert compare_versions(other, one) is None


_words = st.from_regex(r"(0|[1-9][0-9]{0,3}|[a-z]{1,3}|[a-z][0-9]{1,2})", fullmatch=True)
_versions = st.builds(
    lambda numbers, words: ".".join(map(str, numbers)) + ("-" + ".".join(words) if words else ""),
    st.lists(st.integers(0, 99), min_size=3, max_size=3),
    st.lists(_words, max_size=3),
)


@given(_versions, _versions)
def test_two_versions_have_one_order_from_both_sides(one: str, other: str) -> None:
    forth, back = compare_versions(one, other), compare_versions(other, one)
    assert forth == (None if back is None else -back)
    assert compare_versions(one, one) == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_compared_or_not_and_fails_nothing(one: str, other: str) -> None:
    assert compare_versions(one, other) in (-1, 0, 1, None)
    assert parse_time(one) is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:01Z"),
        ("2026-01-31T12:00:00.999999998Z", "2026-01-31T12:00:00.999999999Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:01Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5z"),
        ("2020-11-13 00:00:00+00:00", "2020-11-13t00:00:00.1-00:00"),
        ("2016-12-31T23:59:58Z", "2016-12-31T23:59:60Z"),
    ],
)
def test_times_have_zones_and_fractions(older: str, newer: str) -> None:
    one, other = parse_time(older), parse_time(newer)
    assert one is not None
    assert other is not None
    assert one < other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00Z",
        "1970-01-01T01:00:00+01:00",
        "1980-01-01T00:00:01Z",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "Friday_3_July_2020_10:43:46",
    ],
)
def test_the_dates_of_reproducible_builds_and_other_texts_are_no_times(text: str) -> None:
    assert parse_time(text) is None


def test_the_version_decides_whatever_the_time_is() -> None:
    ours = described(image("1.9.1", created="2026-03-01T00:00:00Z"))
    theirs = described(image("2.0.1", created="2026-01-01T00:00:00Z"))
    assert compare("version", ours, theirs).sign == -1
    assert compare("version", ours, theirs).reason == "1.9.1 is older than 2.0.1"
    assert compare("version", theirs, ours).sign == 1


def test_without_a_version_on_both_sides_the_time_decides() -> None:
    ours = described(image("main", created="2026-01-01T00:00:00.25Z"))
    theirs = described(image("2.0.1", created="2026-01-01T01:00:01+01:00"))
    order = compare("version", ours, theirs)
    assert (order.sign, order.reason) == (
        -1,
        "2026-01-01T00:00:00.25Z is older than 2026-01-01T00:00:01Z",
    )


def test_a_version_and_a_date_that_a_base_image_left_to_both_decide_nothing() -> None:
    inherited = {"version": "24.04", "label": "2026-01-01T00:00:00Z"}
    ours = described(image(**inherited, created="2026-03-01T00:00:00Z"))
    theirs = described(image(**inherited, created="2026-03-02T00:00:00Z"))
    assert compare("version", ours, theirs).sign == -1
    assert compare("created", theirs, ours).sign == 1


def test_the_same_version_without_times_is_neither_older_nor_newer() -> None:
    one = described(image("1.0", created="1970-01-01T00:00:00Z"))
    assert compare("version", one, one).sign == 0
    assert compare("created", one, one).sign is None


def test_an_annotation_of_the_index_goes_before_the_labels() -> None:
    ours = described(image("1.0"), version="3.0")
    theirs = described(image("9.0"), version="2.0")
    assert compare("version", ours, theirs).sign == 1


def test_images_of_several_versions_have_none() -> None:
    ours = described(image("1.0"), image("1.1"))
    assert compare("version", ours, described(image("0.9"))).sign is None
    assert ours.words("version") == "more than one version and no time"


def test_the_latest_image_dates_an_index_and_one_without_a_date_leaves_it_without() -> None:
    theirs = described(image(created="2026-01-02T00:00:00Z"))
    early, late = (image(created=f"2026-01-0{day}T00:00:00Z") for day in (1, 3))
    assert compare("created", described(early, late), theirs).sign == 1
    assert compare("created", described(early, early), theirs).sign == -1
    for unknown in (image(created="0001-01-01T00:00:00Z"), image(), None):
        assert compare("created", described(late, unknown), theirs).sign is None


@pytest.mark.parametrize(
    ("ours", "theirs", "sign"),
    [
        ("4711", "4712", -1),
        ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", 1),
        ("5", "5", 0),
        ("abc", "abd", None),
        ("", "5", None),
        ("5", "2025-01-01T00:00:00Z", None),
    ],
)
def test_a_label_is_compared_as_a_version_or_a_time_and_as_nothing_else(
    ours: str, theirs: str, sign: int | None
) -> None:
    created = "2026-01-01T00:00:00Z"
    sides = [
        described(ImageLabels({"build": value} if value else {}, created))
        for value in (ours, theirs)
    ]
    assert compare("build", *sides).sign == sign


def test_hostile_values_are_escaped_in_words() -> None:
    said = described(ImageLabels({"build": "1\x1b[31m" + "x" * 500}))
    words = said.words("build")
    assert "\x1b" not in words
    assert len(words) < 120
