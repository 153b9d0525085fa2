"""How a registry is reached, and as whom: every such parameter is declared here, once. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from oci_merge.errors import UsageError

#: How often a request is sent again, where the caller does not say it.
DEFAULT_RETRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """How a registry is reached, and as whom.

    Attributes:
        username: the registry's user; without one, a credential is looked for, see
            ``explain_credentials``.
        password: the user's password or token.
        docker_config: a docker config, or the folder that has it, to look into instead of the
            usual files.
        plain_http: speak plain HTTP; a registry on a loopback address is tried so anyway.
        insecure: do not verify the registry's certificate.
        retries: how often a request is sent again after it failed in a way that may pass: the
            connection broke, or the answer was 408, 429, 500, 502, 503 or 504. 0 for never.
        timeout: how many seconds to wait for a connection, and how many for the next byte of an
            answer; where it is left out, 15 and 30, or 300 for a blob that is copied.
        deadline: how many seconds the whole run may take, waiting between retries included;
            no limit where it is left out.
        rate: how many requests a second may go to one registry; no limit where it is left out.
        ca_file: a PEM file with authorities to trust for the registry beside the system's own.
        client_cert: a PEM file with the certificate to show to the registry, and its chain.
        client_key: a PEM file with its private key, where that is not in ``client_cert``.

    Raises:
        UsageError: a value is out of range, or a key has no certificate.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    docker_config: str | None = None
    plain_http: bool = False
    insecure: bool = False
    retries: int = DEFAULT_RETRIES
    timeout: float | None = None
    deadline: float | None = None
    rate: float | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise UsageError(
                f"{self.retries} retries cannot be", hint="0 sends every request once only"
            )
        _check_seconds("time-out", self.timeout)
        _check_seconds("deadline", self.deadline)
        if self.rate is not None and not (0 < self.rate < math.inf):
            raise UsageError(
                f"{self.rate:g} requests a second cannot be",
                hint="give a number above 0, such as 10 or 0.5, or leave it out",
            )
        if self.client_key is not None and self.client_cert is None:
            raise UsageError(
                "a client key is given without a client certificate",
                hint="give the certificate that the key belongs to as well",
            )


def _check_seconds(what: str, seconds: float | None) -> None:
    if seconds is not None and not (0 < seconds < math.inf):
        raise UsageError(
            f"a {what} of {seconds:g} seconds cannot be",
            hint="give a number of seconds above 0, or leave it out",
        )
