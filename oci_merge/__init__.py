"""Join per-architecture container images into one multi-architecture image, in their registry.

    import oci_merge

    result = oci_merge.merge("reg.example/app:1.0", template="reg.example/app-ARCH:1.0")
    print(result.digest)

``merge``, ``push`` and ``inspect`` block; ``merge_async``, ``push_async`` and ``inspect_async`` are
the same for code that runs in an event loop; ``Client`` and ``AsyncClient`` are for many images.
Every error is an ``OciMergeError`` with a ``hint``. Names are loaded when they are first used, so
importing the package is quick and does no I/O.
"""

from __future__ import annotations

from oci_merge._version import __version__ as __version__

# Not typing's: importing that module would take longer than all the rest of a --version.
TYPE_CHECKING = False
if TYPE_CHECKING:  # the names as type checkers see them; a test compares them with _HOMES
    # isort: off
    from oci_merge._text import printable as printable, printable_json as printable_json
    from oci_merge.client import AsyncClient as AsyncClient
    from oci_merge.credentials.explanation import (
        CredentialExplanation as CredentialExplanation,
        CredentialSource as CredentialSource,
        explain_credentials as explain_credentials,
    )
    from oci_merge.errors import (
        AccessDeniedError as AccessDeniedError,
        AuthenticationError as AuthenticationError,
        CredentialError as CredentialError,
        DigestMismatchError as DigestMismatchError,
        DuplicatePlatformError as DuplicatePlatformError,
        ErrorDetail as ErrorDetail,
        ImmutableTagError as ImmutableTagError,
        InvalidPlatformError as InvalidPlatformError,
        InvalidReferenceError as InvalidReferenceError,
        LabelMismatchError as LabelMismatchError,
        ManifestError as ManifestError,
        MissingComponentError as MissingComponentError,
        MountRefusedError as MountRefusedError,
        NotComparableError as NotComparableError,
        NotFoundError as NotFoundError,
        OciMergeError as OciMergeError,
        PlanChangedError as PlanChangedError,
        PlanError as PlanError,
        PlatformLossError as PlatformLossError,
        PlatformMismatchError as PlatformMismatchError,
        PlatformNotFoundError as PlatformNotFoundError,
        PublishError as PublishError,
        RateLimitedError as RateLimitedError,
        RegistryError as RegistryError,
        RequiredPlatformError as RequiredPlatformError,
        ServerError as ServerError,
        SignatureError as SignatureError,
        SigningError as SigningError,
        SigningKeyError as SigningKeyError,
        SpecError as SpecError,
        TagChangedError as TagChangedError,
        TemplateError as TemplateError,
        TransportError as TransportError,
        UnsupportedMediaTypeError as UnsupportedMediaTypeError,
        UsageError as UsageError,
        VerificationError as VerificationError,
    )
    from oci_merge.events import (
        BlobCopied as BlobCopied,
        ComponentsFound as ComponentsFound,
        CopyAdvanced as CopyAdvanced,
        CopyStarted as CopyStarted,
        Event as Event,
        ManifestsSigned as ManifestsSigned,
        Retrying as Retrying,
        StageAdvanced as StageAdvanced,
        StageStarted as StageStarted,
        TagDeleted as TagDeleted,
        TagKept as TagKept,
        TagMoved as TagMoved,
        Waiting as Waiting,
        Warned as Warned,
    )
    from oci_merge.http.early import connect_early as connect_early
    from oci_merge.model.platform import Platform as Platform
    from oci_merge.model.reference import (
        Reference as Reference,
        parse_reference as parse_reference,
    )
    from oci_merge.operations.inspect import (
        InspectedImage as InspectedImage,
        InspectedLayer as InspectedLayer,
        Inspection as Inspection,
    )
    from oci_merge.options import (
        AnnotateCall as AnnotateCall,
        AnnotateKeywords as AnnotateKeywords,
        ApplyCall as ApplyCall,
        ApplyKeywords as ApplyKeywords,
        BatchCall as BatchCall,
        BatchKeywords as BatchKeywords,
        ClientCall as ClientCall,
        ClientKeywords as ClientKeywords,
        InspectCall as InspectCall,
        InspectKeywords as InspectKeywords,
        MergeCall as MergeCall,
        MergeKeywords as MergeKeywords,
        PushCall as PushCall,
        PushKeywords as PushKeywords,
        RegistryOptions as RegistryOptions,
        RemoveCall as RemoveCall,
        RemoveKeywords as RemoveKeywords,
        SignCall as SignCall,
        SignOwnKeywords as SignOwnKeywords,
        VerifyCall as VerifyCall,
        VerifyKeywords as VerifyKeywords,
    )
    from oci_merge.planning.batch import BatchImage as BatchImage
    from oci_merge.planning.batch_file import parse_batch as parse_batch
    from oci_merge.planning.batch_result import (
        BatchResult as BatchResult,
        BatchStarted as BatchStarted,
        ImageFinished as ImageFinished,
        ImageProgressed as ImageProgressed,
        ImageResult as ImageResult,
        ImageStarted as ImageStarted,
    )
    from oci_merge.planning.batch_schema import batch_schema as batch_schema
    from oci_merge.planning.duration import parse_duration as parse_duration
    from oci_merge.planning.plan import Plan as Plan
    from oci_merge.planning.result import (
        MergeResult as MergeResult,
        PlatformResult as PlatformResult,
        TagResult as TagResult,
        TargetResult as TargetResult,
        Verification as Verification,
    )
    from oci_merge.planning.signing import (
        SignatureResult as SignatureResult,
        SignResult as SignResult,
        VerifiedSignature as VerifiedSignature,
    )
    from oci_merge.planning.spec import (
        Spec as Spec,
        SpecImage as SpecImage,
        spec_from_template as spec_from_template,
    )
    from oci_merge.planning.spec_file import parse_spec as parse_spec
    from oci_merge.sync import (
        Client as Client,
        annotate as annotate,
        append as append,
        apply as apply,
        batch as batch,
        inspect as inspect,
        merge as merge,
        push as push,
        remove as remove,
        sign as sign,
        verify as verify,
    )
    from oci_merge.trust.private_keys import generate_key_pair as generate_key_pair
    from oci_merge.verbs import (
        annotate_async as annotate_async,
        append_async as append_async,
        apply_async as apply_async,
        batch_async as batch_async,
        inspect_async as inspect_async,
        merge_async as merge_async,
        push_async as push_async,
        remove_async as remove_async,
        sign_async as sign_async,
        verify_async as verify_async,
    )
else:
    #: The public names, by the module that each lives in.
    _HOMES = {
        "_text": "printable printable_json",
        "client": "AsyncClient",
        "credentials.explanation": "CredentialExplanation CredentialSource explain_credentials",
        "errors": (
            "AccessDeniedError AuthenticationError CredentialError DigestMismatchError "
            "DuplicatePlatformError ErrorDetail ImmutableTagError InvalidPlatformError "
            "InvalidReferenceError LabelMismatchError ManifestError MissingComponentError "
            "MountRefusedError NotComparableError NotFoundError OciMergeError PlanChangedError "
            "PlanError PlatformLossError PlatformMismatchError PlatformNotFoundError "
            "PublishError RateLimitedError RegistryError RequiredPlatformError ServerError "
            "SignatureError SigningError SigningKeyError SpecError TagChangedError TemplateError "
            "TransportError UnsupportedMediaTypeError UsageError VerificationError"
        ),
        "events": (
            "BlobCopied ComponentsFound CopyAdvanced CopyStarted Event ManifestsSigned Retrying "
            "StageAdvanced StageStarted TagDeleted TagKept TagMoved Waiting Warned"
        ),
        "http.early": "connect_early",
        "model.platform": "Platform",
        "model.reference": "Reference parse_reference",
        "operations.inspect": "InspectedImage InspectedLayer Inspection",
        "options": (
            "AnnotateCall AnnotateKeywords ApplyCall ApplyKeywords BatchCall BatchKeywords "
            "ClientCall ClientKeywords InspectCall InspectKeywords MergeCall MergeKeywords "
            "PushCall PushKeywords RegistryOptions RemoveCall RemoveKeywords SignCall "
            "SignOwnKeywords VerifyCall VerifyKeywords"
        ),
        "planning.batch": "BatchImage",
        "planning.batch_file": "parse_batch",
        "planning.batch_result": (
            "BatchResult BatchStarted ImageFinished ImageProgressed ImageResult ImageStarted"
        ),
        "planning.batch_schema": "batch_schema",
        "planning.duration": "parse_duration",
        "planning.plan": "Plan",
        "planning.result": "MergeResult PlatformResult TagResult TargetResult Verification",
        "planning.signing": "SignResult SignatureResult VerifiedSignature",
        "planning.spec": "Spec SpecImage spec_from_template",
        "planning.spec_file": "parse_spec",
        "sync": "Client annotate append apply batch inspect merge push remove sign verify",
        "trust.private_keys": "generate_key_pair",
        "verbs": (
            "annotate_async append_async apply_async batch_async inspect_async merge_async "
            "push_async remove_async sign_async verify_async"
        ),
    }

    _MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

    # Hidden too: mypy reads nothing but a literal list, and would find an empty one here.
    __all__ = sorted([*_MODULES, "__version__"])

    # Hidden from type checkers, to which it would make any name one of the package's.
    def __getattr__(name: str) -> object:
        """Load a public name from the module that it lives in (PEP 562)."""
        from importlib import import_module

        if name not in _MODULES:
            raise AttributeError(f"module 'oci_merge' has no attribute {name!r}")
        value = getattr(import_module(f"oci_merge.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
