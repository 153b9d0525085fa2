"""How to reach a registry, and who to be there; how much a client does at once. Pure.

There is no ``from __future__ import annotations`` here, since the annotations are read at run time.
"""

from dataclasses import field
from typing import Annotated, Protocol, TypedDict, Unpack

from oci_merge import _keywords as take
from oci_merge._frozen import frozen
from oci_merge._keywords import Keyword, check_names, checked, documented
from oci_merge.errors import UsageError

#: How often a request is sent again by default.
DEFAULT_RETRIES = 4
#: How many operations of a client run at once by default.
DEFAULT_CONCURRENCY = 16

_seconds = take.positive("seconds", "give a number such as 30 or 0.5, or leave it out")


class PathLike(Protocol):
    """A path, such as ``pathlib.Path``."""

    def __fspath__(self) -> str:
        """Return the path as text."""


class Readable(Protocol):
    """An open file, of bytes or of text."""

    def read(self, size: int, /) -> bytes | str:
        """Return what comes next, up to a number of bytes or characters."""


class CredentialKeywords(TypedDict, total=False):
    """Who to be at a registry, and how long an operation may take."""

    username: Annotated[
        str | None,
        Keyword(
            take.text,
            """the registry's user; by default a credential is looked for, see
            ``explain_credentials``.""",
        ),
    ]
    password: Annotated[str | None, Keyword(take.text, "the user's password or token.")]
    docker_config: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            """a docker config, or the folder that holds it, to search before the variables and
            instead of the usual files.""",
        ),
    ]
    deadline: Annotated[
        float | None,
        Keyword(
            _seconds,
            """how many seconds one operation may take, with the waits between retries; no limit
            by default.""",
        ),
    ]


class ClientKeywords(CredentialKeywords, total=False):
    """How to reach a registry, and who to be there."""

    plain_http: Annotated[
        bool,
        Keyword(
            take.flag,
            "speak plain HTTP; for a registry on a loopback address it is tried in any case.",
            False,
        ),
    ]
    insecure: Annotated[
        bool, Keyword(take.flag, "do not verify the registry's certificate.", False)
    ]
    retries: Annotated[
        int,
        Keyword(
            take.whole_number(
                0, "0 or more", "give a number such as 4; 0 sends each request only once"
            ),
            """how often a request is sent again after a failure that may be temporary: the
            connection broke, or the answer was 408, 429, 500, 502, 503 or 504; 0 for never.""",
            DEFAULT_RETRIES,
        ),
    ]
    timeout: Annotated[
        float | None,
        Keyword(
            _seconds,
            """how many seconds to wait for a connection, and how many for the next byte of an
            answer; by default 15 and 30, and 300 for a blob that is copied.""",
        ),
    ]
    rate: Annotated[
        float | None,
        Keyword(
            take.positive("requests a second", "give a number such as 10 or 0.5, or leave it out"),
            "how many requests a second may go to one registry; no limit by default.",
        ),
    ]
    ca_file: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            "a PEM file with authorities to trust for the registry beside the system's own.",
        ),
    ]
    client_cert: Annotated[
        str | PathLike | None,
        Keyword(
            take.path,
            "a PEM file with the certificate to show to the registry, and its chain.",
        ),
    ]
    client_key: Annotated[
        str | PathLike | None,
        Keyword(
            take.path, "a PEM file with its private key, where that is not in ``client_cert``."
        ),
    ]


@documented(ClientKeywords)
@frozen
class RegistryOptions:
    """How to reach a registry, and who to be there.

    Attributes:
        **keywords: those of ``ClientKeywords``; paths are kept as text.

    Raises:
        UsageError: a value is of a wrong type or out of range, or a key has no certificate.
    """

    username: str | None
    password: str | None = field(repr=False)
    docker_config: str | None
    deadline: float | None
    plain_http: bool
    insecure: bool
    retries: int
    timeout: float | None
    rate: float | None
    ca_file: str | None
    client_cert: str | None
    client_key: str | None

    def __init__(self, **keywords: Unpack[ClientKeywords]) -> None:
        check_names("RegistryOptions", ClientKeywords, keywords)
        for name, value in checked(ClientKeywords, keywords).items():
            object.__setattr__(self, name, value)  # the class is frozen
        if self.client_key is not None and self.client_cert is None:
            raise UsageError(
                "a client key is given without a client certificate",
                hint="give the certificate that the key belongs to as well",
            )


def _registry_options(name: str, value: object) -> RegistryOptions:
    if not isinstance(value, RegistryOptions):
        hint = f"write {name}=oci_merge.RegistryOptions(...)"
        raise take.mistyped(name, "a RegistryOptions", value, hint)
    if value.deadline is not None:
        raise UsageError(
            f"{name} has a deadline, but an operation has one deadline for all registries",
            hint="give the deadline beside it, and leave it out there",
        )
    return value


class SourceKeywords(TypedDict, total=False):
    """How to reach registries that have images to join but not the target."""

    source_registry: Annotated[
        RegistryOptions | None,
        Keyword(
            _registry_options,
            """how to reach the registries that have images but not the target, and who
            to be there, see ``copy_layers``; by default they are reached with the same
            ``docker_config``, ``retries``, ``timeout`` and ``rate``, and with nothing else of
            what is given here.""",
        ),
    ]


class ConcurrencyKeywords(TypedDict, total=False):
    """How much a client does at once."""

    concurrency: Annotated[
        int,
        Keyword(
            take.whole_number(
                1, "at least 1", "give a number such as 16; 1 lets one operation follow the other"
            ),
            "how many operations run at once; the others wait for their turn.",
            DEFAULT_CONCURRENCY,
        ),
    ]
