"""Verification on a real distribution, with skopeo as an independent witness."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

import oci_merge
from fixtures.distribution import Distribution
from oci_merge import VerificationError
from oci_merge.client import AsyncClient
from oci_merge.http.timings import Timings
from tests.registry.team import THREE, THREE_PLATFORMS, push_team
from tests.registry.test_merge import copy_with


def test_a_merge_is_read_again_by_new_connections(
    tls_registry: Distribution, skopeo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_registry.ca_pem))
    team = push_team(tls_registry)
    username, password = tls_registry.credentials or ("", "")
    with tls_registry.watch() as requests:
        result = oci_merge.merge(
            f"{team}/img:1.0",
            template=f"{team}/img-ARCHVARIANT:1.0",
            tags=["latest"],
            verify=True,
            username=username,
            password=password,
        )
    assert result.verified
    last_write = max(n for n, record in enumerate(requests) if record.method == "PUT")
    after = [record for record in requests[last_write + 1 :] if record.status == 200]
    read = {record.path.rpartition("/")[2] for record in after if record.method == "GET"}
    assert {"1.0", "latest", *(image.digest for image in THREE.values())} <= read
    looked = {record.path.rpartition("/")[2] for record in after if record.method == "HEAD"}
    assert looked == {b.digest for image in THREE.values() for b in (image.config, *image.layers)}
    # As many requests were let in without a login as by one that comes back for the first time.
    assert [record.status for record in requests[last_write + 1 :]].count(401) == 1
    found = oci_merge.verify(
        f"{team}/img:latest",
        digest=result.digest,
        platforms=THREE_PLATFORMS,
        username=username,
        password=password,
    )
    assert found.manifests == 3
    subprocess.run(
        [
            *(
                skopeo,
                "copy",
                "--all",
                "--src-tls-verify=false",
                f"--src-creds={username}:{password}",
            ),
            *(f"docker://{team}/img@{result.digest}", f"dir:{tmp_path / 'image'}"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_an_image_that_is_deleted_after_the_push_is_found_out(
    plain_registry: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncClient, "_timings", Timings(verify=0.5, first_look=0.1))
    team = push_team(plain_registry)
    repository = team.partition("/")[2] + "/img"
    lost = THREE["arm64"].digest

    def on_event(event: oci_merge.Event) -> None:
        if isinstance(event, oci_merge.TagMoved):
            path = f"/v2/{repository}/manifests/{lost}"
            assert httpx.delete(f"{plain_registry.url}{path}").status_code == 202

    with pytest.raises(VerificationError) as caught:
        oci_merge.merge(
            f"{team}/img:1.0",
            template=f"{team}/img-ARCHVARIANT:1.0",
            verify=True,
            on_event=on_event,
        )
    assert caught.value.missing == (f"{team}/img@{lost}",)


def test_what_skopeo_has_pushed_is_verified(
    plain_registry: Distribution, skopeo: Path, tmp_path: Path
) -> None:
    team = push_team(plain_registry)
    result = oci_merge.merge(f"{team}/img:1.0", template=f"{team}/img-ARCHVARIANT:1.0")
    copy_with(skopeo, f"{team}/img:1.0", tmp_path / "image")
    subprocess.run(
        [
            *(skopeo, "copy", "--all", "--dest-tls-verify=false"),
            *(f"dir:{tmp_path / 'image'}", f"docker://{team}/again:1.0"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found = oci_merge.verify(f"{team}/again:1.0", digest=result.digest)
    assert [str(platform) for platform in found.platforms] == list(THREE_PLATFORMS)
