"""Every error that oci-merge raises.

    OciMergeError                      .hint says what to do next
      UsageError                       what was asked for is wrong; found before the first request
        InvalidReferenceError
        InvalidPlatformError
        TemplateError
        SpecError
      ManifestError                    a manifest in the registry cannot be used
        UnsupportedMediaTypeError
        DigestMismatchError
      PlanError                        the components do not make one image
        DuplicatePlatformError
        PlatformMismatchError
        PlatformNotFoundError
        MissingComponentError
        RequiredPlatformError
        LabelMismatchError
        PlatformLossError
        NotComparableError
        MountRefusedError
        PlanChangedError               what a plan was made from has changed since
      PublishError                     some tags moved and some did not
        TagChangedError                others moved the tag of an index that was to be changed
      VerificationError                a registry does not show what was published
      SignatureError                   an image is not signed by a key that it must be signed by
      SigningError                     a registry keeps no signature of what is to be published
      CredentialError                  credentials could not be read
      SigningKeyError                  a key could not be read, or could not sign
      RegistryError                    the registry answered with an error
        AuthenticationError
        AccessDeniedError
        NotFoundError
        ImmutableTagError
        RateLimitedError
        ServerError
      TransportError                   no answer: time-outs, TLS, DNS, refused connections

Each class has a stable ``code``, such as ``missing_component``; docs/next-job.md lists them.
The library turns errors of httpx and pydantic into these.
Each can be pickled and copied, and shows its hint in a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from oci_merge._frozen import frozen

#: Attributes of the classes that the JSON of an error has, too.
DETAILS = (
    *("status", "codes", "digest", "digests", "missing", "lost", "label", "changed", "moved"),
    "failed",
)


class OciMergeError(Exception):
    """The root of the tree.

    Args:
        message: one sentence that says what was expected and what came.
        hint: what to try next, or an empty string.

    Attributes:
        code: the word by which a program knows this kind of error. Each class has its own, and it
            stays the same in later versions, whatever becomes of messages and class names.
    """

    code: ClassVar[str] = "error"

    _hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def hint(self) -> str:
        """What to try next, or an empty string."""
        return self._hint

    @hint.setter
    def hint(self, hint: str) -> None:
        # A traceback shows the hint as a note. Some hints are replaced after the error was made:
        # the old note goes, and notes of others stay.
        notes = [note for note in getattr(self, "__notes__", ()) if note != _note(self._hint)]
        self._hint = hint
        self.__notes__ = [*notes, _note(hint)] if hint else notes

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON values.

        Returns:
            ``code``, ``kind`` (the name of the class), ``message`` and ``hint``, and what the class
            knows besides, such as ``missing`` or ``status``.
        """
        known = {name: getattr(self, name) for name in DETAILS if hasattr(self, name)}
        return {
            "code": self.code,
            "kind": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in known.items()
            },
        }

    def __reduce__(
        self,
    ) -> tuple[Callable[..., OciMergeError], tuple[object, ...], dict[str, object]]:
        """Return what ``pickle`` and ``copy`` make the error of again.

        An exception's own way calls the class with ``args`` alone, and so without the arguments
        that have names.
        """
        return _blank, (type(self), *self.args), vars(self)


def _blank(kind: type[OciMergeError], *args: object) -> OciMergeError:
    """Return an error that has its ``args`` and no attributes yet."""
    return kind.__new__(kind, *args)


def _note(hint: str) -> str:
    return f"hint: {hint}"


class UsageError(OciMergeError):
    """An argument is wrong, or several contradict each other; no request has been sent."""

    code = "usage"


class InvalidReferenceError(UsageError):
    """A name, tag or digest does not follow the grammar of image references."""

    code = "invalid_reference"


class InvalidPlatformError(UsageError):
    """A platform is not of the form os/architecture[/variant]."""

    code = "invalid_platform"


class TemplateError(UsageError):
    """A template has no placeholder, or does not give a reference for a platform."""

    code = "invalid_template"


class SpecError(UsageError):
    """A spec file does not describe a list of images."""

    code = "invalid_spec"


class ManifestError(OciMergeError):
    """A manifest or a config that the registry sent cannot be used."""

    code = "invalid_manifest"


class UnsupportedMediaTypeError(ManifestError):
    """The manifest, or its config, is of a kind that oci-merge does not join."""

    code = "unsupported_media_type"


class DigestMismatchError(ManifestError):
    """The bytes that came are not those that the digest names."""

    code = "digest_mismatch"


class PlanError(OciMergeError):
    """The components cannot be joined into one image."""

    code = "not_joinable"


class DuplicatePlatformError(PlanError):
    """Two images are of one platform."""

    code = "duplicate_platform"


class PlatformMismatchError(PlanError):
    """An image's config contradicts the platform that was asked for."""

    code = "platform_mismatch"


class PlatformNotFoundError(PlanError):
    """A source index holds no image of the platform that was asked for."""

    code = "platform_not_found"


class MissingComponentError(PlanError):
    """One or more of the images to join are not in the registry.

    Args:
        missing: their references; empty where images were looked for and none was found.
    """

    def __init__(self, message: str, *, missing: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)

    code = "missing_component"


class RequiredPlatformError(PlanError):
    """The index would have no image for a platform that it must have.

    Args:
        missing: the platforms, such as ``linux/arm64``.
    """

    code = "required_platform"

    def __init__(self, message: str, *, missing: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)


class LabelMismatchError(PlanError):
    """The images do not agree on a label, or it is not known whether they do.

    Args:
        label: the label.
    """

    code = "label_mismatch"

    def __init__(self, message: str, *, label: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.label = label


class PlatformLossError(PlanError):
    """A tag would lose a platform that it has now.

    Args:
        lost: the platforms, such as ``linux/s390x``.
    """

    code = "platform_loss"

    def __init__(self, message: str, *, lost: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lost = tuple(lost)


class NotComparableError(PlanError):
    """It is not known what a tag would lose, or whether the images are newer than what it has."""

    code = "not_comparable"


class MountRefusedError(PlanError):
    """The registry would not mount blobs from another repository.

    Args:
        digests: the blobs that the target repository still lacks.
    """

    code = "mount_refused"

    def __init__(self, message: str, *, digests: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.digests = tuple(digests)


class PublishError(OciMergeError):
    """A tag could not be written.

    Args:
        moved: the tags that are on the new index (some may have been on it before).
        failed: the tags that could not be written and are as they were.
    """

    code = "publish_failed"

    def __init__(
        self, message: str, *, moved: Sequence[str], failed: Sequence[str], hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.moved = tuple(moved)
        self.failed = tuple(failed)


class TagChangedError(PublishError):
    """Others moved the tag of an index while it was being changed, each time this was tried.

    ``moved`` is empty, and ``failed`` has the references of the tags.
    """

    code = "tag_changed"


class PlanChangedError(PlanError):
    """What a plan was made from has changed since, so that it is not carried out.

    Args:
        changed: the tags and images that have changed, as references.
    """

    code = "plan_changed"

    def __init__(self, message: str, *, changed: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.changed = tuple(changed)


class VerificationError(OciMergeError):
    """A registry does not show what was published, or what was asked for.

    Args:
        digest: the digest of what was published; empty where nothing was.
        missing: the tags, manifests and blobs that it does not show, as references.
    """

    code = "not_verified"

    def __init__(
        self, message: str, *, digest: str = "", missing: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.digest = digest
        self.missing = tuple(missing)


class SignatureError(OciMergeError):
    """An image is not signed by one of the keys that it must be signed by.

    Args:
        missing: the images, as references.
    """

    code = "not_signed"

    def __init__(self, message: str, *, missing: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)


class SigningError(OciMergeError):
    """Signatures cannot be made, or the registry keeps none of them."""

    code = "signing_failed"


class CredentialError(OciMergeError):
    """Credentials are configured but cannot be read."""

    code = "unreadable_credentials"


class SigningKeyError(OciMergeError):
    """A key cannot be read, or cannot sign."""

    code = "unreadable_key"


@frozen
class ErrorDetail:
    """One entry of a registry's error document (OCI distribution spec, "Error Codes").

    Attributes:
        code: the registry's code, such as ``MANIFEST_UNKNOWN``; empty if it gave none.
        message: the registry's own sentence, with control characters escaped.
        digest: a digest that the entry's detail names, or an empty string.
    """

    code: str
    message: str
    digest: str = ""


class RegistryError(OciMergeError):
    """A registry, or its token server, answered with an error status.

    Args:
        status: the HTTP status.
        method: the request's method.
        url: the request's URL without its query and without credentials.
        details: the entries of the registry's error document, if it sent one.
        user: the user that was refused, for example ``ci (from the docker config …)``.

    Attributes:
        is_about_login: whether the hint names the logins that there are, or that there is none.
    """

    code = "registry_error"

    is_about_login = False

    def __init__(
        self,
        message: str,
        *,
        status: int,
        method: str,
        url: str,
        details: Sequence[ErrorDetail] = (),
        user: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.user = user
        self.status = status
        self.method = method
        self.url = url
        self.details = tuple(details)

    @property
    def codes(self) -> tuple[str, ...]:
        """The registry's error codes, in the order in which it gave them."""
        return tuple(detail.code for detail in self.details if detail.code)


class AuthenticationError(RegistryError):
    """401: credentials are missing or wrong."""

    code = "unauthorized"


class AccessDeniedError(RegistryError):
    """403, or a 401 on a fresh token: the credentials do not allow this."""

    code = "access_denied"


class NotFoundError(RegistryError):
    """404: no such repository, tag, manifest or blob."""

    code = "not_found"


class ImmutableTagError(RegistryError):
    """The tag may not move, and stands on another manifest."""

    code = "immutable_tag"


class RateLimitedError(RegistryError):
    """429: too many requests, or a pull limit."""

    code = "rate_limited"


class ServerError(RegistryError):
    """5xx: the registry failed."""

    code = "server_error"


class TransportError(OciMergeError):
    """No usable answer came: refused connections, DNS, TLS, time-outs, broken responses."""

    code = "no_answer"
