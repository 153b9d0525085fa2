"""Media types of manifests, configs and layers (OCI image spec; Docker image manifest v2)."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

#: The config of a manifest that has none (OCI image spec, "Guidance for an Empty Descriptor").
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

#: The layers of an attestation: in-toto statements such as provenance or an SBOM.
IN_TOTO = "application/vnd.in-toto+json"

#: The artifact type of an attestation that BuildKit writes as an OCI artifact.
ATTESTATION_ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
#: Docker's manifest format before schema 2, which an index cannot list.
SCHEMA1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

#: The Accept header of every request for a manifest. It offers all four kinds, since registries
#: convert a manifest whose kind is not offered, or answer 404.
ACCEPT_MANIFESTS = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))

_DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable."


def is_foreign_layer(media_type: str, *, has_urls: bool) -> bool:
    """Say whether a layer is kept outside the registry, so that it need not be mounted.

    OCI image spec, "Non-Distributable Layers"; Docker's foreign layers.

    Args:
        media_type: the layer's media type.
        has_urls: whether its descriptor has ``urls``.
    """
    if media_type == _DOCKER_FOREIGN_LAYER:
        return True
    # Without URLs, only the registry can have the layer, whatever its media type says.
    return has_urls and media_type.startswith(_OCI_NONDISTRIBUTABLE)


def is_statement(media_type: str) -> bool:
    """Say whether a layer is an in-toto statement, signed or not."""
    return media_type.startswith("application/vnd.in-toto")


def is_artifact(media_type: str) -> bool:
    """Say whether an artifact type, or the media type of a config, is none of an image's.

    Args:
        media_type: the type in lower case; what says nothing may be an image's.
    """
    vague = {"", "application/json", "application/octet-stream", "text/plain"}
    return media_type not in IMAGE_CONFIGS | vague
