"""How to sign what is published, and whose signatures the images must have. Pure.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, TypedDict

from oci_merge import _keywords as take
from oci_merge._keywords import Keyword

SignatureFormat = Literal["both", "bundle", "classic"]


class SignatureKeywords(TypedDict, total=False):
    """How to sign."""

    sign_format: Annotated[
        SignatureFormat,
        Keyword(
            take.choice(SignatureFormat, "format of signatures"),
            """``bundle`` for a sigstore bundle that refers to the image, as cosign 3 writes it,
            ``classic`` for the tag ``sha256-….sig``, which podman, CRI-O and older tools look for,
            or ``both``.""",
            "both",
        ),
    ]
    sign_index_only: Annotated[
        bool,
        Keyword(
            take.flag,
            """sign the index alone, and none of the manifests that it lists; podman, skopeo and
            CRI-O look at these.""",
            False,
        ),
    ]


class SignKeywords(SignatureKeywords, total=False):
    """Whether to sign what is published, and how."""

    sign: Annotated[
        bool,
        Keyword(
            take.flag,
            """sign the index and every manifest that it lists, before a tag moves, by the key of
            ``sign_key`` or else the one in ``COSIGN_PRIVATE_KEY``.""",
            False,
        ),
    ]
    sign_key: Annotated[
        str | None,
        Keyword(
            take.text,
            """sign by this private key: a file, ``env://VARIABLE``, or ``NAME://…`` for the program
            ``sigstore-kms-NAME``.""",
        ),
    ]


class TrustKeywords(SignKeywords, total=False):
    """What is signed, and whose signatures the images must have."""

    verify_keys: Annotated[
        Iterable[str],
        Keyword(
            take.several(take.text),
            """public keys, given as ``sign_key`` is. Each image, or the index that it comes from,
            must be signed by one of them, and so must what ``append`` keeps; otherwise nothing is
            written.""",
            (),
        ),
    ]
    carry_signatures: Annotated[
        bool,
        Keyword(
            take.flag,
            """bring signatures, attestations and SBOMs of the images along: what refers to them,
            and their tags ``sha256-….sig``, ``.att`` and ``.sbom``.""",
            False,
        ),
    ]
    provenance: Annotated[
        bool,
        Keyword(
            take.flag,
            """attach a statement to the index that says which images it was made of; signed where
            the index is.""",
            False,
        ),
    ]


class PasswordKeywords(TypedDict, total=False):
    """Where the password of a private key comes from."""

    key_password: Annotated[
        Callable[[str], str] | None,
        Keyword(
            take.function,
            """called with a prompt for the password of an encrypted private key, where
            ``COSIGN_PASSWORD`` is not set; in a thread of its own.""",
        ),
    ]
