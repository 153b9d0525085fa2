"""Media types of manifests, configs and layers (OCI image spec; Docker image manifest v2)."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

#: A statement of an attestation, such as provenance or an SBOM.
IN_TOTO = "application/vnd.in-toto+json"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
SCHEMA1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

#: One header that asks for all four kinds: a registry that is not offered a manifest's own kind
#: converts it or calls it unknown.
ACCEPT_MANIFESTS = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))

_DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable."


def is_foreign_layer(media_type: str, *, has_urls: bool) -> bool:
    """Say whether a layer lives outside registries and so is neither mounted nor expected.

    Args:
        media_type: the layer's media type.
        has_urls: whether its descriptor says where else it can be had.
    """
    if media_type == _DOCKER_FOREIGN_LAYER:
        return True
    return has_urls and media_type.startswith(_OCI_NONDISTRIBUTABLE)
