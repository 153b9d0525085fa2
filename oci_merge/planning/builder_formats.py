"""Reads what builders write of the images that they pushed: digests, with or without names. Pure.

Files are known by their content, not by their names or by an option:

    sha256:4355…                            kaniko --digest-file, --digestfile of buildah, podman
                                            and skopeo, jib-image.digest, Bazel's rules
    reg.example/app@sha256:4355…            kaniko --image-name-with-digest-file, crane, ko, apko;
    reg.example/app:1.0@sha256:4355…        each on a line, or parted by spaces
    4355… reg.example/app:1.0               goreleaser's digests.txt
    Digest: sha256:4355… 1234               oci-merge and manifest-tool
    digest=sha256:4355…                     the line of a GitHub job's output
    {"containerimage.digest": …}            buildx --metadata-file, of a build or of bake's targets
    {"imageDigest": …, "image": …}          jib-image.json
    {"digest": …, "name": …}                kaniko's BUILDER_OUTPUT, the outputs of
                                            docker/build-push-action, a descriptor
    {"builds": [{"tag": …}]}                skaffold build --file-output
    (nothing)                               the file's name is the digest, as docker's documentation
                                            of build matrices has it: ``touch digests/4355…``
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from oci_merge._text import decode, printable
from oci_merge.errors import InvalidReferenceError, UsageError
from oci_merge.model import media_types
from oci_merge.model.digest import check_digest
from oci_merge.model.reference import Reference, parse_reference
from oci_merge.model.slips import unfilled_hint
from oci_merge.planning.builder_output import BuilderOutput, BuiltImage

_HEX = r"[0-9a-f]{128}|[0-9a-f]{64}"
#: A file's name; Windows allows no colon in one.
_NAME = re.compile(rf"(?:(sha256|sha512)[:_-])?({_HEX})")
#: The files of kaniko, buildah and podman have no line end: ``cat`` joins them into one word.
_DIGESTS = re.compile(r"(?:sha256:[0-9a-f]{64})+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BARE_HEX = re.compile(_HEX)
#: What oci-merge, manifest-tool and oras print of what they pushed; a size may follow.
_PRINTED = re.compile(r"Digest:\s+(\S+)(?:\s+\d+)?")
_ASSIGNED = re.compile(r"(?:image[_-])?digest=(\S+)", re.IGNORECASE)
#: Where JSON of which nothing else is known says how the image is called.
_NAME_KEYS = ("reference", "name", "image")

_EXPECTED = (
    "expected is a digest or NAME@sha256:… on each line, JSON of buildx or jib, "
    "or an empty file that is named by a digest"
)
_NOT_PUSHED = (
    "push the image: buildx does it with --push or push=true, and a builder of the driver "
    "docker-container"
)


def read_builder_output(content: bytes, path: str) -> BuilderOutput:
    """Read what a builder wrote.

    Args:
        content: the content of the file.
        path: its path, or what else it is called; its last part may be the digest.

    Raises:
        UsageError: the content is none of the formats, or does not name a digest.
    """
    reader = _Reader(printable(path))
    text = reader.decoded(content)
    if not text.strip():
        digest = named_digest(path)
        if digest is None:
            raise reader.error(
                "is empty",
                hint="check the job that writes it; of an empty file the name has to be a digest",
            )
        reader.add(digest)
    elif text.lstrip()[0] in '{["':
        reader.read_json(text)
    else:
        reader.read_lines(text)
    if not reader.images:
        raise reader.error("names no image", hint=_EXPECTED)
    return BuilderOutput(tuple(reader.images), frozenset(reader.image_ids))


def named_digest(path: str) -> str | None:
    """Return the digest that the last part of a path is, with its algorithm or without; or None."""
    found = _NAME.fullmatch(re.split(r"[/\\]", path)[-1])
    if found is None:
        return None
    algorithm = _algorithm(found[2])
    return f"{algorithm}:{found[2]}" if found[1] in (None, algorithm) else None


class _Reader:
    """Collects the images of one file.

    Args:
        name: the file's name, printable, for errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.images: list[BuiltImage] = []
        self.image_ids: set[str] = set()

    def error(self, what: str, *, hint: str) -> UsageError:
        """Return an error about the file; ``what`` is the rest of its sentence."""
        return UsageError(f"{self.name} {what}", hint=hint)

    def add(self, digest: object, *names: Reference) -> None:
        """Add an image.

        Raises:
            UsageError: the digest is none.
        """
        if not isinstance(digest, str) or not digest:
            raise self.error(
                "has no digest for an image",
                hint="check the job that writes it; perhaps it failed, or pushed nothing",
            )
        try:
            check_digest(digest)
        except InvalidReferenceError as error:
            raise self.error(f"is not of use: {error}", hint=error.hint or _EXPECTED) from None
        self.images.append(BuiltImage(digest, names, self.name))

    def decoded(self, content: bytes) -> str:
        """Return a file's text.

        Raises:
            UsageError: it is none.
        """
        try:
            text = decode(content)
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise self.error("is not text", hint=_EXPECTED)
        return text

    def read_lines(self, text: str) -> None:
        """Add the images of lines; a line that starts with a number sign is a comment."""
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                self._read_line(line.strip(), f"line {number}")

    def _read_line(self, line: str, place: str) -> None:
        if found := _PRINTED.fullmatch(line) or _ASSIGNED.fullmatch(line):
            self._read_word(found[1], place)
            return
        words = line.split()
        # goreleaser's lines have the digest before the name, and without its algorithm. Those of
        # sha256sum look alike, but for the names of files.
        if len(words) == 2 and _BARE_HEX.fullmatch(words[0]) and set(words[1]) & set("/:"):
            self.add(f"{_algorithm(words[0])}:{words[0]}", *self._names(words[1], place))
            return
        for word in words:
            self._read_word(word, place)

    def _read_word(self, word: str, place: str) -> None:
        if _DIGESTS.fullmatch(word):
            for digest in _DIGEST.findall(word):
                self.add(digest)
        elif _BARE_HEX.fullmatch(word):
            self.add(f"{_algorithm(word)}:{word}")
        elif word.startswith(("sha256:", "sha512:")):
            self.add(word)
        elif "@" in word:
            name = self._reference(word, place)
            self.add(name.digest, name)
        else:
            raise self._unknown(word, place)

    def _unknown(self, word: str, place: str) -> UsageError:
        """Return the error of a word that is neither a digest nor a name with one."""
        shown = printable(word, limit=60)
        if hint := unfilled_hint(word):
            return self.error(f"has {shown!r} in {place}", hint=hint)
        try:
            is_name = "/" in word and bool(parse_reference(word))
        except InvalidReferenceError:
            is_name = False
        if is_name:
            return self.error(
                f"names {shown} without a digest in {place}",
                hint="give the file that has the digest; images by tag are given with --source",
            )
        return self.error(
            f"is no builder's file that is known: {place} has {shown!r}", hint=_EXPECTED
        )

    def _reference(self, text: str, place: str) -> Reference:
        try:
            return parse_reference(text)
        except InvalidReferenceError as error:
            raise self.error(
                f"has a wrong name in {place}: {error}", hint=error.hint or _EXPECTED
            ) from None

    def _names(self, value: object, place: str) -> tuple[Reference, ...]:
        """Return the names that a value lists, parted by commas."""
        if value is None or value == "":
            return ()
        if not isinstance(value, str):
            raise self.error(f"has no text in {place}", hint=_EXPECTED)
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return tuple(self._reference(part, place) for part in parts)

    def read_json(self, text: str) -> None:
        """Add the images of JSON documents; several may follow each other.

        Raises:
            UsageError: the text is not JSON, or none that builders write.
        """
        decoder, place = json.JSONDecoder(), 0
        try:
            while rest := text[place:].lstrip():
                place = len(text) - len(rest)
                value, place = decoder.raw_decode(text, place)
                self._read_value(value)
        except ValueError as error:
            raise self.error(f"is not JSON: {printable(str(error))}", hint=_EXPECTED) from None
        except RecursionError:
            raise self.error("is nested too deeply", hint=_EXPECTED) from None

    def _read_value(self, value: object) -> None:
        if isinstance(value, str):
            self.read_lines(value)
        elif isinstance(value, list):
            for item in value:
                self._read_value(item)
        elif isinstance(value, dict):
            self._read_object(value)
        else:
            raise self.error(f"has {printable(json.dumps(value))} in it", hint=_EXPECTED)

    def _read_object(self, fields: dict[str, Any]) -> None:
        if _is_buildx(fields):
            self._read_buildx(fields)
        elif "imageDigest" in fields:
            self._note_id(fields.get("imageId"))
            self.add(fields["imageDigest"], *self._names(fields.get("image"), "image"))
        elif "digest" in fields:
            self._read_descriptor(fields)
        elif "manifests" in fields or "layers" in fields:
            raise self.error(
                "is a manifest itself, and does not say where it is",
                hint="push it, and give what the builder writes of that: its digest",
            )
        elif targets := [each for each in fields.values() if _is_buildx(each)]:
            self._read_targets(targets)
        elif isinstance(builds := fields.get("builds"), list):
            self._read_value([build.get("tag") for build in builds if isinstance(build, dict)])
        else:
            known = printable(", ".join(fields), limit=60) or "nothing"
            raise self.error(f"is no builder's JSON that is known: it has {known}", hint=_EXPECTED)

    def _read_targets(self, targets: list[dict[str, Any]]) -> None:
        """Add the images of bake's targets. A target may have built files, and no image."""
        images = [fields for fields in targets if _digest_of(fields)]
        if not images:
            raise self.error("has no digest for any of bake's targets", hint=_NOT_PUSHED)
        for fields in images:
            self._read_buildx(fields)

    def _read_buildx(self, fields: dict[str, Any]) -> None:
        digest = _digest_of(fields)
        image_id = fields.get("containerimage.config.digest")
        if not digest:
            raise self.error("has no containerimage.digest", hint=_NOT_PUSHED)
        if digest == image_id:
            # docker's own driver, where it has pushed nothing.
            raise self.error("has the image's ID for its containerimage.digest", hint=_NOT_PUSHED)
        self._note_id(image_id)
        self.add(digest, *self._names(fields.get("image.name"), "image.name"))

    def _read_descriptor(self, fields: dict[str, Any]) -> None:
        """Add the image of JSON whose key for the digest is just that."""
        metadata = fields.get("metadata")
        if isinstance(metadata, str) and "containerimage.digest" in metadata:
            # The outputs of docker/build-push-action, which have buildx's file as a text.
            self.read_json(metadata)
            return
        media_type = str(fields.get("mediaType") or "")
        if media_type and media_type not in media_types.MANIFESTS | media_types.INDEXES:
            shown = printable(media_type, limit=60)
            raise self.error(f"has the digest of {shown}, which is no image", hint=_EXPECTED)
        # With containerd's image store, the action's imageid is the digest as well.
        if fields.get("imageid") != fields["digest"]:
            self._note_id(fields.get("imageid"))
        key = next((key for key in _NAME_KEYS if fields.get(key)), "")
        self.add(fields["digest"], *self._names(fields.get(key), key))

    def _note_id(self, image_id: object) -> None:
        if isinstance(image_id, str) and image_id:
            self.image_ids.add(image_id)


def _algorithm(encoded: str) -> str:
    return "sha256" if len(encoded) == 64 else "sha512"


def _is_buildx(value: object) -> bool:
    """Say whether a value is what buildx writes of one build."""
    return isinstance(value, dict) and any(
        key.startswith("containerimage.") or key == "buildx.build.ref" for key in value
    )


def _digest_of(fields: Mapping[str, Any]) -> object:
    """Return the digest that buildx writes of a build; nothing where no image was made."""
    descriptor = fields.get("containerimage.descriptor")
    described = descriptor.get("digest") if isinstance(descriptor, dict) else None
    return fields.get("containerimage.digest") or described
