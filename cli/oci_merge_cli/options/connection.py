"""How to reach a registry and who to be there, as the options say it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from oci_merge import UsageError

if TYPE_CHECKING:
    from oci_merge import ClientKeywords, RegistryOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The connection options.

    Attributes:
        username: the user's name, or None.
        password: the password from the command line, or None.
        password_stdin: whether the password comes on stdin.
        docker_cfg: the docker config to read, or the folder that has it, or None for the usual.
        plain_http: whether to speak plain HTTP.
        insecure: whether not to verify the registry's certificate.
        ca_file: authorities to trust beside the system's, or None.
        client_cert: the certificate to show, or None.
        client_key: its private key, or None.
        retries: how often to try again, or None for the usual.
        timeout: how long to wait for what comes next, in seconds, or None for the usual.
        deadline: how long the whole run may take, in seconds, or None for no limit.
        rate: how many requests a second may go to a registry, or None for no limit.
        debug: whether to show a line for each request.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_stdin: bool = False
    docker_cfg: str | None = None
    plain_http: bool = False
    insecure: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    retries: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    rate: float | None = None
    debug: bool = False

    def after(self, before: Connection) -> Connection:
        """Return these options, filled up with those that stood before the command's word."""
        values = {name: getattr(self, name) for name in NAMES}
        for name, value in values.items():
            if value is None or value is False:
                values[name] = getattr(before, name)
        return Connection(**values)

    def with_empty_left_out(self) -> Connection:
        """Return these options without credentials that are empty, as if they were not given.

        Scripts for manifest-tool may pass variables that are set for some registries only.
        """
        if self.username == "" and self.password == "" and not self.password_stdin:
            return replace(self, username=None, password=None)
        return self

    def warnings(self) -> list[str]:
        """Return what the user should know about these options, in sentences."""
        if self.password is None:
            return []
        return [
            "others can read --password in the process list; use --password-stdin, "
            "or OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD"
        ]

    def access(self) -> ClientKeywords:
        """Return the library's arguments, with the password read from stdin if it is there.

        Raises:
            UsageError: the options contradict each other, or stdin has no password.
        """
        if self.password_stdin and self.password is not None:
            raise UsageError(
                "--password and --password-stdin are both given",
                hint="leave out --password, which others can read in the process list",
            )
        if self.password_stdin and self.username is None:
            raise UsageError(
                "--password-stdin is given without --username",
                hint="say with --username whose password it is",
            )
        if self.docker_cfg == "":
            raise UsageError(
                "--docker-cfg is empty",
                hint="name a folder that has a config.json, or the file itself, or leave it out",
            )
        access: ClientKeywords = {
            "username": self.username,
            "password": _read_password() if self.password_stdin else self.password,
            "docker_config": self.docker_cfg,
            "plain_http": self.plain_http,
            "insecure": self.insecure,
            "timeout": self.timeout,
            "deadline": self.deadline,
            "rate": self.rate,
            "ca_file": self.ca_file,
            "client_cert": self.client_cert,
            "client_key": self.client_key,
        }
        return access if self.retries is None else {**access, "retries": self.retries}

    def for_sources(self, *, plain_http: bool, insecure: bool) -> RegistryOptions:
        """Return how to reach registries that have images but not the target."""
        from oci_merge import RegistryOptions

        usual = RegistryOptions()
        return RegistryOptions(
            docker_config=self.docker_cfg,
            plain_http=plain_http,
            insecure=insecure,
            retries=usual.retries if self.retries is None else self.retries,
            timeout=self.timeout,
            rate=self.rate,
        )


NAMES = tuple(option.name for option in fields(Connection))
"""The names of the connection options, as signatures have them."""


def _read_password() -> str:
    """Read stdin to its end; one line end after the password is not part of it."""
    try:
        content = b"" if sys.stdin is None else sys.stdin.buffer.read()
        password = content.decode()
    except UnicodeDecodeError:
        raise UsageError("the password on stdin is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"the password cannot be read from stdin: {error.strerror}") from error
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError(
            "--password-stdin is given, but nothing came on stdin",
            hint='pipe the password in, for example: printf %s "$TOKEN" | oci-merge …',
        )
    return password
