"""Labels and times of images' configs."""

from __future__ import annotations

import json

import pytest

from oci_merge import ManifestError
from oci_merge.model.labels import ImageLabels, parse_labels


@pytest.mark.parametrize(
    ("document", "labels"),
    [
        ({"config": {"Labels": {"a": "1"}}, "created": "now"}, ImageLabels({"a": "1"}, "now")),
        ({"config": {"Labels": None}, "created": None}, ImageLabels()),
        ({"config": {}}, ImageLabels()),
        ({"config": {"Labels": {"a": None}}}, ImageLabels({"a": ""})),
        ({"config": None}, ImageLabels()),
        ({"created": 5}, ImageLabels()),
        ([], ImageLabels()),
    ],
)
def test_labels_and_time_are_read_and_may_be_absent(document: object, labels: ImageLabels) -> None:
    assert parse_labels(json.dumps(document).encode(), what="app:1") == labels


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"config":{"Labels":["a=1"]}}',
        b'{"config":{"Labels":{"a":1}}}',
    ],
)
def test_what_is_no_mapping_of_texts_is_an_error_that_names_the_image(content: bytes) -> None:
    with pytest.raises(ManifestError, match="the config of app:1 cannot be read"):
        parse_labels(content, what="app:1")
