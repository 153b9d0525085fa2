"""The registries whose way to ask for a login is known, and names that only look like theirs."""

from __future__ import annotations

import pytest

from oci_merge.auth.challenge import Challenge
from oci_merge.auth.known_servers import known_challenge


@pytest.mark.parametrize(
    ("registry", "realm", "service"),
    [
        ("docker.io", "https://auth.docker.io/token", "registry.docker.io"),
        ("ghcr.io", "https://ghcr.io/token", "ghcr.io"),
        ("quay.io", "https://quay.io/v2/auth", "quay.io"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth", "container_registry"),
        ("gcr.io", "https://gcr.io/v2/token", "gcr.io"),
        ("eu.gcr.io", "https://eu.gcr.io/v2/token", "eu.gcr.io"),
        (
            "europe-west1-docker.pkg.dev",
            "https://europe-west1-docker.pkg.dev/v2/token",
            "europe-west1-docker.pkg.dev",
        ),
        ("team.azurecr.io", "https://team.azurecr.io/oauth2/token", "team.azurecr.io"),
        ("public.ecr.aws", "https://public.ecr.aws/token/", "public.ecr.aws"),
        ("GHCR.io:443", "https://ghcr.io/token", "ghcr.io"),
    ],
)
def test_a_known_registry_has_its_token_server(registry: str, realm: str, service: str) -> None:
    challenge = known_challenge(registry)
    assert challenge is not None
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {"realm": realm, "service": service}


@pytest.mark.parametrize(
    "registry",
    [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com:443",
    ],
)
def test_amazon_s_private_registries_take_passwords(registry: str) -> None:
    assert known_challenge(registry) == Challenge("basic")


@pytest.mark.parametrize(
    "registry",
    [
        "reg.example",
        "localhost:5000",
        "[::1]:443",
        "docker.io:443",
        "DOCKER.IO",
        "hub.docker.io",
        "auth.docker.io",
        "ghcr.io:5000",
        "ghcr.io:4430",
        "ghcr.io.",
        "ghcr.io.evil.example",
        "evil-ghcr.io",
        "www.ghcr.io",
        "ghcr.io@evil.example",
        "ghcr.io\n",
        "quay.io.example",
        "sub.quay.io",
        "gitlab.com",
        "registry.gitlab.com.example",
        "registry.gitlab.example",
        "evilgcr.io",
        "a.b.gcr.io",
        "gcr.io.example",
        "pkg.dev",
        "docker.pkg.dev",
        "-docker.pkg.dev",
        "eu-npm.pkg.dev",
        "evil-docker.pkg.dev.example.com",
        "a.eu-docker.pkg.dev",
        "azurecr.io",
        "a.b.azurecr.io",
        "team.azurecr.io.example",
        "team.azurecr.example",
        "public.ecr.aws.example",
        "a.public.ecr.aws",
        "12345.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn.example",
        "123456789012.dkr.ecr.evil.example.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.example",
        "x123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkrxecr.eu-west-1.amazonaws.com",
        "bucket.s3.amazonaws.com",
    ],
)
def test_any_other_name_is_asked_first(registry: str) -> None:
    assert known_challenge(registry) is None
