"""Keys, and a reader of what stands in a registry that knows signatures by their formats alone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.requests import Request
from starlette.responses import Response

import oci_merge
from fixtures.embedded import EmbeddedRegistry, Hook
from fixtures.images import Blob, BuiltImage, BuiltIndex, build_image
from oci_merge import MergeResult
from tests.edge.support import REPOSITORY, Matches

OWN = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
CLASSIC = "application/vnd.dev.cosign.simplesigning.v1+json"
_IN_LAYER = "dev.cosignproject.cosign/signature"
_EMPTY = Blob("application/vnd.oci.empty.v1+json", b"{}")

BOTH = frozenset({"bundle", "classic"})


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> str:
    """Write a key into a file, and return its path."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


def list_tag(digest: str) -> str:
    """Return the tag of a manifest's list of referrers."""
    return digest.replace(":", "-")


def sig_tag(digest: str) -> str:
    """Return the tag of a manifest's classic signatures."""
    return f"{list_tag(digest)}.sig"


def document(registry: EmbeddedRegistry, at: str, repository: str = REPOSITORY) -> Any:
    """Return the JSON of what stands at a tag or a digest; None if nothing does."""
    held = registry.storage.manifest(repository, at)
    return json.loads(held.content) if held else None


def children(registry: EmbeddedRegistry, at: str, repository: str = REPOSITORY) -> list[str]:
    """Return the digests that an index lists."""
    return [entry["digest"] for entry in document(registry, at, repository)["manifests"]]


class Statement(NamedTuple):
    """A statement that refers to a manifest.

    Attributes:
        digest: the digest of its own manifest.
        content: the statement.
        envelope: its envelope; None where nobody signed it.
    """

    digest: str
    content: Any
    envelope: Any

    def is_by(self, key: ec.EllipticCurvePrivateKey) -> bool:
        """Say whether a key signed it."""
        if self.envelope is None:
            return False
        payload = base64.b64decode(self.envelope["payload"])
        kind = self.envelope["payloadType"].encode()
        signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
        [signature] = self.envelope["signatures"]
        return verifies(key, base64.b64decode(signature["sig"]), signed)


def verifies(key: ec.EllipticCurvePrivateKey, signature: bytes, content: bytes) -> bool:
    """Say whether a signature is a key's."""
    try:
        key.public_key().verify(signature, content, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def referrers(registry: EmbeddedRegistry, digest: str, repository: str = REPOSITORY) -> list[str]:
    """Return the digests of what clients find to refer to a manifest."""
    if registry.settings.referrers:
        return [held.digest for held in registry.storage.referrers(repository, digest)]
    listed = document(registry, list_tag(digest), repository)
    return [entry["digest"] for entry in listed["manifests"]] if listed else []


def statements(
    registry: EmbeddedRegistry, digest: str, kind: str, repository: str = REPOSITORY
) -> list[Statement]:
    """Return the statements of a kind about a manifest, those that clients find."""
    found = []
    for referrer in referrers(registry, digest, repository):
        manifest = document(registry, referrer, repository)
        assert manifest["subject"]["digest"] == digest
        layers = [registry.storage.blob(repository, each["digest"]) for each in manifest["layers"]]
        if manifest["artifactType"] == BUNDLE:
            envelope = json.loads(layers[0] or b"")["dsseEnvelope"]
            content = json.loads(base64.b64decode(envelope["payload"]))
        elif manifest["artifactType"] == IN_TOTO:
            envelope, content = None, json.loads(layers[0] or b"")
        else:
            continue
        assert content["subject"][0]["digest"] == {"sha256": digest.removeprefix("sha256:")}
        if content["predicateType"] == kind:
            found.append(Statement(referrer, content, envelope))
    return found


def classic_signatures(
    registry: EmbeddedRegistry, digest: str, repository: str = REPOSITORY
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the classic signatures of a manifest, and the payload of each."""
    for layer in (document(registry, sig_tag(digest), repository) or {}).get("layers", []):
        payload = registry.storage.blob(repository, layer["digest"]) or b""
        named = json.loads(payload)["critical"]
        assert named["image"]["docker-manifest-digest"] == digest
        yield base64.b64decode(layer["annotations"][_IN_LAYER]), payload


def formats(
    registry: EmbeddedRegistry,
    digest: str,
    key: ec.EllipticCurvePrivateKey = OWN,
    repository: str = REPOSITORY,
) -> frozenset[str]:
    """Return the formats in which clients find a key's signature of a manifest."""
    bundles = [
        each for each in statements(registry, digest, SIGNATURE, repository) if each.is_by(key)
    ]
    classic = [
        made for made in classic_signatures(registry, digest, repository) if verifies(key, *made)
    ]
    assert max(len(bundles), len(classic)) <= 1, "it is signed twice by one key"
    return frozenset([*["bundle" for _ in bundles], *["classic" for _ in classic]])


def all_formats(
    registry: EmbeddedRegistry,
    at: str,
    key: ec.EllipticCurvePrivateKey = OWN,
    repository: str = REPOSITORY,
) -> Mapping[str, frozenset[str]]:
    """Return the formats by digest, for an index and what it lists."""
    held = registry.storage.manifest(repository, at)
    assert held
    digests = [held.digest, *children(registry, at, repository)]
    return {digest: formats(registry, digest, key, repository) for digest in digests}


def classic_image(
    registry: EmbeddedRegistry, digest: str, key: ec.EllipticCurvePrivateKey, repository: str
) -> BuiltImage:
    """Return a classic signature as cosign makes one, with something that is not known here."""
    payload = json.dumps(
        {
            "critical": {
                "identity": {"docker-reference": f"somewhere/{repository}"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": {"who": "somebody"},
        }
    ).encode()
    signature = base64.b64encode(key.sign(payload, ec.ECDSA(SHA256()))).decode()
    annotations = {_IN_LAYER: signature, "dev.sigstore.cosign/bundle": "{}", "org.example": "kept"}
    config = build_image().config
    layer = Blob(CLASSIC, payload, annotations=annotations)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
        "annotations": {"org.example.whole": "kept"},
    }
    return BuiltImage(
        json.dumps(manifest).encode(),
        "application/vnd.oci.image.manifest.v1+json",
        config,
        (layer,),
    )


def add_classic(
    registry: EmbeddedRegistry,
    digest: str,
    key: ec.EllipticCurvePrivateKey = OTHER,
    repository: str = REPOSITORY,
    suffix: str = ".sig",
) -> BuiltImage:
    """Put somebody's signature under a manifest's tag."""
    made = classic_image(registry, digest, key, repository)
    registry.add_image(repository, list_tag(digest) + suffix, made)
    return made


def bundle_image(
    subject: BuiltImage | BuiltIndex, statement: Any, key: ec.EllipticCurvePrivateKey
) -> BuiltImage:
    """Return a bundle with a statement, as another program makes one."""
    payload = json.dumps(statement).encode()
    kind = IN_TOTO.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    content = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "somebody"}},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": IN_TOTO,
            "signatures": [
                {"sig": base64.b64encode(key.sign(signed, ec.ECDSA(SHA256()))).decode()}
            ],
        },
    }
    layer = Blob(BUNDLE, json.dumps(content).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": BUNDLE,
        "config": _EMPTY.descriptor(),
        "layers": [layer.descriptor()],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": subject.size,
        },
    }
    return BuiltImage(
        json.dumps(manifest).encode(),
        "application/vnd.oci.image.manifest.v1+json",
        _EMPTY,
        (layer,),
    )


def puts(reference: str) -> Matches:
    """Return a predicate of requests that put a manifest under this tag or digest."""

    def matches(request: Request) -> bool:
        path = request.url.path
        return request.method == "PUT" and path.endswith(f"/manifests/{reference}")

    return matches


class Spans(Hook):
    """Notes when manifests begin to be put, and when they stand.

    Attributes:
        notes: references, each twice: as it begins with ``>`` before it, and once it is answered.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def before(self, request: Request) -> None:
        if request.method == "PUT" and "/manifests/" in request.url.path:
            self.notes.append(">" + request.url.path.rpartition("/")[2])
            await asyncio.sleep(0.01)  # those that are sent at once have come by then

    async def after(self, request: Request, response: Response) -> Response:
        if request.method == "PUT" and "/manifests/" in request.url.path:
            self.notes.append(request.url.path.rpartition("/")[2])
        return response

    def begins(self, references: Sequence[str]) -> int:
        """Return when the first of these began to be put."""
        return min(self.notes.index(f">{each}") for each in references)

    def ends(self, references: Sequence[str]) -> int:
        """Return when all of these were put."""
        last = len(self.notes) - 1
        return max(last - self.notes[::-1].index(each) for each in references)


def outcomes(result: MergeResult | oci_merge.SignResult) -> dict[tuple[str, str], str]:
    """Return what became of signatures, by digest and format."""
    return {(each.digest, each.format): each.outcome for each in result.signatures}


def asked(registry: EmbeddedRegistry) -> list[str]:
    """Return what a registry was asked, in the order of its answers."""
    return [f"{record.method} {record.path} {record.status}" for record in registry.requests]
