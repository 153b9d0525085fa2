"""Join per-architecture container images into one multi-architecture image, in their registry.

    import oci_merge

    result = oci_merge.merge("reg.example/app:1.0", template="reg.example/app-ARCH:1.0")
    print(result.digest)

``merge`` and ``inspect`` block; ``merge_async`` and ``inspect_async`` are the same for code that
runs in an event loop; ``Client`` and ``AsyncClient`` are for many images. Every error is an
``OciMergeError`` with a ``hint``. Names are loaded when they are first used, so importing the
package is quick and does no I/O.
"""

from __future__ import annotations

from oci_merge._version import __version__

# Not typing's: importing that module would take longer than all the rest of a --version.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oci_merge._text import printable
    from oci_merge.api import inspect as inspect_async
    from oci_merge.api import merge as merge_async
    from oci_merge.api import push as push_async
    from oci_merge.client import AsyncClient
    from oci_merge.credentials.explanation import (
        CredentialExplanation,
        CredentialSource,
        explain_credentials,
    )
    from oci_merge.errors import (
        AccessDeniedError,
        AuthenticationError,
        CredentialError,
        DigestMismatchError,
        DuplicatePlatformError,
        ErrorDetail,
        ImmutableTagError,
        InvalidPlatformError,
        InvalidReferenceError,
        ManifestError,
        MissingComponentError,
        MountRefusedError,
        NotFoundError,
        OciMergeError,
        PlanError,
        PlatformMismatchError,
        PlatformNotFoundError,
        PublishError,
        RateLimitedError,
        RegistryError,
        ServerError,
        SpecError,
        TemplateError,
        TransportError,
        UnsupportedMediaTypeError,
        UsageError,
    )
    from oci_merge.events import (
        BlobCopied,
        ComponentsFound,
        CopyAdvanced,
        CopyStarted,
        Event,
        Retrying,
        StageAdvanced,
        StageStarted,
        TagMoved,
        Warned,
    )
    from oci_merge.model.platform import Platform
    from oci_merge.model.reference import Reference, parse_reference
    from oci_merge.operations.inspect import InspectedImage, InspectedLayer, Inspection
    from oci_merge.options import RegistryOptions
    from oci_merge.planning.plan import Plan
    from oci_merge.planning.request import parse_pairs, split_pairs
    from oci_merge.planning.result import MergeResult, PlatformResult, TagResult
    from oci_merge.planning.spec import Spec, SpecImage, spec_from_template
    from oci_merge.planning.spec_file import parse_spec
    from oci_merge.sync import Client, inspect, merge, push

#: Where each public name lives: module, and the name there if it is another.
_HOMES: dict[str, tuple[str, ...]] = {
    "api": ("merge_async:merge", "push_async:push", "inspect_async:inspect"),
    "sync": ("Client", "merge", "push", "inspect"),
    "client": ("AsyncClient",),
    "credentials.explanation": (
        "CredentialExplanation",
        "CredentialSource",
        "explain_credentials",
    ),
    "options": ("RegistryOptions",),
    "errors": (
        "AccessDeniedError",
        "AuthenticationError",
        "CredentialError",
        "DigestMismatchError",
        "DuplicatePlatformError",
        "ErrorDetail",
        "ImmutableTagError",
        "InvalidPlatformError",
        "InvalidReferenceError",
        "ManifestError",
        "MissingComponentError",
        "MountRefusedError",
        "NotFoundError",
        "OciMergeError",
        "PlanError",
        "PlatformMismatchError",
        "PlatformNotFoundError",
        "PublishError",
        "RateLimitedError",
        "RegistryError",
        "ServerError",
        "SpecError",
        "TemplateError",
        "TransportError",
        "UnsupportedMediaTypeError",
        "UsageError",
    ),
    "events": (
        "BlobCopied",
        "ComponentsFound",
        "CopyAdvanced",
        "CopyStarted",
        "Event",
        "Retrying",
        "StageAdvanced",
        "StageStarted",
        "TagMoved",
        "Warned",
    ),
    "operations.inspect": ("InspectedImage", "InspectedLayer", "Inspection"),
    "planning.plan": ("Plan",),
    "model.platform": ("Platform",),
    "model.reference": ("Reference", "parse_reference"),
    "planning.result": ("MergeResult", "PlatformResult", "TagResult"),
    "planning.request": ("parse_pairs", "split_pairs"),
    "planning.spec": ("Spec", "SpecImage", "spec_from_template"),
    "planning.spec_file": ("parse_spec",),
    "_text": ("printable",),
}
_NAMES = {
    name.partition(":")[0]: (module, name.rpartition(":")[2])
    for module, names in _HOMES.items()
    for name in names
}

__all__ = [
    "AccessDeniedError",
    "AsyncClient",
    "AuthenticationError",
    "BlobCopied",
    "Client",
    "ComponentsFound",
    "CopyAdvanced",
    "CopyStarted",
    "CredentialError",
    "CredentialExplanation",
    "CredentialSource",
    "DigestMismatchError",
    "DuplicatePlatformError",
    "ErrorDetail",
    "Event",
    "ImmutableTagError",
    "InspectedImage",
    "InspectedLayer",
    "Inspection",
    "InvalidPlatformError",
    "InvalidReferenceError",
    "ManifestError",
    "MergeResult",
    "MissingComponentError",
    "MountRefusedError",
    "NotFoundError",
    "OciMergeError",
    "Plan",
    "PlanError",
    "Platform",
    "PlatformMismatchError",
    "PlatformNotFoundError",
    "PlatformResult",
    "PublishError",
    "RateLimitedError",
    "Reference",
    "RegistryError",
    "RegistryOptions",
    "Retrying",
    "ServerError",
    "Spec",
    "SpecError",
    "SpecImage",
    "StageAdvanced",
    "StageStarted",
    "TagMoved",
    "TagResult",
    "TemplateError",
    "TransportError",
    "UnsupportedMediaTypeError",
    "UsageError",
    "Warned",
    "__version__",
    "explain_credentials",
    "inspect",
    "inspect_async",
    "merge",
    "merge_async",
    "parse_pairs",
    "parse_reference",
    "parse_spec",
    "printable",
    "push",
    "push_async",
    "spec_from_template",
    "split_pairs",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module that it lives in (PEP 562)."""
    from importlib import import_module

    if name not in _NAMES:
        raise AttributeError(f"module 'oci_merge' has no attribute {name!r}")
    module, attribute = _NAMES[name]
    value = getattr(import_module(f"oci_merge.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
