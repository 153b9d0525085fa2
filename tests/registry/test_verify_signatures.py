"""What cosign signed, on a real distribution, which has no referrers API."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

import oci_merge
from fixtures.distribution import Distribution
from fixtures.trust import SignedCase, load_cases, load_keys, push_signed
from oci_merge import SignatureError
from tests.registry.team import seeder


@pytest.fixture(scope="module")
def signed_by_cosign(plain_registry: Distribution) -> Distribution:
    """The registry with what cosign signed."""
    with seeder(plain_registry) as push:
        push_signed(push)
    return plain_registry


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """The files of cosign's public keys, by name."""
    for name, pem in load_keys().items():
        (tmp_path / f"{name}.pub").write_bytes(pem)
    return {name: str(tmp_path / f"{name}.pub") for name in load_keys()}


def _ids(case: SignedCase) -> str:
    return f"{case.key} {case.format}"


@pytest.mark.parametrize("case", load_cases(), ids=_ids)
def test_it_is_verified_by_its_key_alone(
    case: SignedCase, signed_by_cosign: Distribution, keys: dict[str, str]
) -> None:
    reference = f"{signed_by_cosign.host}/{case.repository}:{case.tag}"
    with signed_by_cosign.watch() as records:
        found = oci_merge.verify(reference, keys=[*keys.values()])
        with pytest.raises(SignatureError, match="it is signed by another key"):
            oci_merge.verify(
                reference, keys=[file for name, file in keys.items() if name != case.key]
            )
    assert {record.method for record in records} <= {"GET", "HEAD"}
    assert found.digest == case.digest
    assert {each.digest for each in found.signatures} == {case.digest, *case.images}
    assert {(each.format, each.key) for each in found.signatures} == {(case.format, keys[case.key])}


@pytest.mark.parametrize("case", load_cases(), ids=_ids)
def test_it_is_joined_where_its_key_is_asked_for(
    case: SignedCase, signed_by_cosign: Distribution, keys: dict[str, str]
) -> None:
    reference = f"{signed_by_cosign.host}/{case.repository}:{case.tag}"
    target = f"{signed_by_cosign.host}/team-{uuid4().hex[:12]}/joined:1.0"
    others = [file for name, file in keys.items() if name != case.key]
    with signed_by_cosign.watch() as records, pytest.raises(SignatureError):
        oci_merge.merge(target, sources=[reference], verify_keys=others)
    assert {record.method for record in records} <= {"GET", "HEAD"}
    result = oci_merge.merge(target, sources=[reference], verify_keys=[keys[case.key]])
    assert {image.digest for image in result.platforms} == set(case.images)
    assert [each.digest for each in result.verified_signatures] == [case.digest]
