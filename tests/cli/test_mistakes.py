"""The likeliest mistakes, each with all that is said of it: one sentence and a hint.

A line fits a terminal of 80 columns twice at most, where the names are short.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme
from starlette.requests import Request
from starlette.responses import Response

from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook
from fixtures.embedded.quirks.manifests import OciTypesOnly
from fixtures.server import ServerTLS, serve
from fixtures.tokens import Account, TokenService
from oci_merge.http.errors import outage
from tests.cli.running import Outcome, Program

NAME = "reg.example"
"""What the registry's address is replaced by in what is compared, to have a usual length."""

PULL, PUSH = frozenset({"pull"}), frozenset({"pull", "push"})
PASSWORD = "a-pass-word"
PAGE = "<!DOCTYPE html><html><title>Sign in</title></html>"


def template(host: str = NAME, *more: str, name: str = "img-ARCH:1.0") -> list[str]:
    """Return a merge of two images of a registry."""
    return [
        *("--platforms", "linux/amd64,linux/arm64", "--template", f"{host}/team/{name}"),
        *("--target", f"{host}/team/img:1.0", *more),
    ]


def check(
    outcome: Outcome, status: int, error: str, hint: str, host: str = NAME, quoted: str = ""
) -> None:
    """Check all that a failed run says, but for the lines of its progress.

    What the registry says itself, `quoted`, may be as long as it is.
    """
    said = [line.replace(host, NAME) for line in outcome.errors]
    lines = [line for line in said if line.startswith(("error: ", "hint: ", "No help"))]
    assert lines == [error if error.startswith("No help") else f"error: {error}", f"hint: {hint}"]
    assert outcome.status == status
    assert outcome.stdout == ""
    assert [line for line in lines if len(line.replace(quoted, "")) > 160] == []


USAGE = {
    "a variable in single quotes": (
        template(NAME, "--tags", "$TAG"),
        "'$TAG' is not a tag",
        "$TAG was not filled in: write it in double quotes, not in single ones, "
        "and see that it is set",
    ),
    "a variable of CI in the repository": (
        ["--source", "reg.example/a:1", "--target", "reg.example/${CI_PROJECT_PATH}/app:1"],
        "'reg.example/${CI_PROJECT_PATH}/app:1' is not an image reference",
        "${CI_PROJECT_PATH} was not filled in: write it in double quotes, not in single ones, "
        "and see that it is set",
    ),
    "a variable for the registry": (
        ["--source", "$REGISTRY/a:1", "--target", "reg.example/app:1"],
        "'$REGISTRY/a:1': '$REGISTRY' is not a registry's host and port",
        "$REGISTRY was not filled in: write it in double quotes, not in single ones, "
        "and see that it is set",
    ),
    "a dollar before a placeholder": (
        ["--template", "reg.example/a-$ARCH:1", "--target", "reg.example/app:1"],
        "the template 'reg.example/a-$ARCH:1' gives no reference",
        "$ARCH was not filled in: write it in double quotes, not in single ones, "
        "and see that it is set",
    ),
    "an empty variable for the tag": (
        ["--source", "reg.example/a:1", "--target", "reg.example/app:"],
        "'reg.example/app:' ends in a colon, and no tag follows",
        "write the tag; perhaps the variable for it is empty",
    ),
    "an empty variable for more tags": (
        template(NAME, "--tags", ""),
        "'' is not a tag",
        "drop the comma too many, or set the variable for it",
    ),
    "several images in one --source": (
        ["--source", "reg.example/a:1,reg.example/b:1", "--target", "reg.example/app:1"],
        "'reg.example/a:1,reg.example/b:1' is not an image reference",
        "give --source once for each image (in Python, each image is an item of sources)",
    ),
    "several images with platforms in one --source": (
        ["--source", "a:1=linux/amd64,b:1=linux/arm64", "--target", "app:1"],
        "'a:1=linux/amd64,b:1': 'a:1=linux' is not a registry's host and port",
        "give --source once for each image (in Python, each image is an item of sources)",
    ),
    "a list with a space": (
        ["--platforms", "linux/amd64,", "linux/arm64", "--target", "reg.example/app:1"],
        "the list of --platforms has a space in it, before 'linux/arm64'",
        "leave out the space, or quote the list: --platforms linux/amd64,linux/arm64",
    ),
    "a quoted list with spaces alone": (
        ["--platforms", "linux/amd64 linux/arm64", *template()[2:]],
        "'linux/amd64 linux/arm64' is not a platform",
        "part platforms by commas, without spaces: "
        "a platform is os/architecture or os/architecture/variant",
    ),
    "quotes within quotes": (
        ["--platforms", '"linux/amd64,linux/arm64"', *template()[2:]],
        "'\"linux/amd64' is not a platform",
        "leave out the quotes within the value: "
        "a platform is os/architecture or os/architecture/variant",
    ),
    "an architecture alone": (
        ["--platforms", "amd64,arm64", *template()[2:]],
        "'amd64' is not a platform",
        "write linux/amd64: a platform is os/architecture or os/architecture/variant",
    ),
    "--tags that took the next option": (
        ["--tags", *template()[2:]],
        "--tags has no value: --template follows it",
        "give --tags a value; perhaps a variable is empty: quote it",
    ),
    "an option given twice": (
        template(NAME, "--format", "oci", "--format", "oci"),
        "--format takes one value and is given twice",
        "keep one of the two",
    ),
    "a template without a placeholder": (
        template(name="img:1.0"),
        "the template 'reg.example/team/img:1.0' has none of the placeholders ARCH, OS and VARIANT",
        "write it like reg.example/app-ARCH:1.0, or name the images with --source",
    ),
    "a placeholder in lower case": (
        template(name="img-{arch}:1.0"),
        "the template 'reg.example/team/img-{arch}:1.0' has none of the placeholders "
        "ARCH, OS and VARIANT",
        "placeholders are bare capitals: write ARCH in place of {arch}",
    ),
    "a scheme": (
        template("https://reg.example"),
        "the template 'https://reg.example/team/img-ARCH:1.0' has a scheme",
        "write reg.example/team/img-ARCH:1.0",
    ),
    "a name in capitals": (
        ["--source", "reg.example/a:1", "--target", "reg.example/Team/App:1"],
        "'reg.example/Team/App:1' is not an image reference",
        "a repository name is lower case; ARCH, OS and VARIANT are replaced in templates",
    ),
    "a slash at the end": (
        ["--source", "reg.example/a:1", "--target", "reg.example/team/app/"],
        "'reg.example/team/app/' is not an image reference",
        "leave out the slash at its end",
    ),
    "a target without a tag": (
        ["--source", "reg.example/a:1", "--target", "reg.example/team/app"],
        "the target 'reg.example/team/app' has no tag",
        "say which tag to publish, for example reg.example/team/app:latest",
    ),
    "a target in another registry": (
        ["--source", "reg.example/a:1", "--target", "other.example/app:1"],
        "reg.example/a:1 is in the registry reg.example, "
        "but the target other.example/app:1 is in other.example",
        "blobs are mounted within one registry: copy them with --copy-layers "
        "(copy_layers=True in Python), or push the image there first",
    ),
}


@pytest.mark.parametrize("mistake", USAGE)
def test_a_slip_of_the_command_line(program: Program, mistake: str) -> None:
    words, error, hint = USAGE[mistake]
    check(program(*words), 2, error, hint)


def test_an_unknown_word(program: Program) -> None:
    check(
        program("inspct", "reg.example/app:1"),
        3,
        "No help topic for 'inspct'",
        "did you mean inspect?",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the authority's certificate."""
    return tmp_path


@pytest.fixture
def authority(folder: Path) -> trustme.CA:
    """A private authority, in `ca.pem` of the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return authority


@pytest.fixture
def ca_file(authority: trustme.CA, folder: Path) -> list[str]:
    """The options that trust the authority."""
    return ["--ca-file", str(folder / "ca.pem")]


def certificate(authority: trustme.CA, *names: str, since: int = -30, until: int = 30) -> ServerTLS:
    """Return a server's certificate, valid from and until so many days from now."""
    now = datetime.now(UTC)
    leaf = authority.issue_cert(
        *(names or ("127.0.0.1",)),
        not_before=now + timedelta(days=since),
        not_after=now + timedelta(days=until),
    )
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    return ServerTLS(chain, leaf.private_key_pem.bytes())


class Dates:
    """The dates that may be said between now and the end of a run, which midnight may part."""

    def __init__(self) -> None:
        self._begun = datetime.now(UTC)

    def said(self, outcome: Outcome, days: int = 0) -> str:
        """Return the date that many days from the run, in the spelling of the run's messages."""
        first, last = (
            (moment + timedelta(days=days)).date().isoformat()
            for moment in (self._begun, datetime.now(UTC))
        )
        return last if last in outcome.stderr else first


class Answer(Hook):
    """Answers some requests in the registry's place.

    Args:
        which: chooses the requests.
        status: the status.
        body: the body.
        headers: headers.
    """

    def __init__(
        self,
        which: Callable[[Request], bool],
        status: int,
        body: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self._which = which
        self._answer = status, body, headers

    async def before(self, request: Request) -> Response | None:
        status, body, headers = self._answer
        return Response(body, status, headers) if self._which(request) else None


def refusal(code: str, message: str) -> str:
    """Return an error document."""
    return json.dumps({"errors": [{"code": code, "message": message}]})


def always(_: Request) -> bool:
    """Choose every request."""
    return True


@contextlib.contextmanager
def answering(body: str) -> Iterator[str]:
    """Serve what is no registry: a raw answer to whatever comes; yields its authority."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(body.encode())

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class TestTLS:
    """TLS and plain HTTP."""

    def test_plain_http_to_a_tls_port(self, program: Program) -> None:
        # Go's servers, and so distribution and Harbor's, answer this.
        page = "Client sent an HTTP request to an HTTPS server.\n"
        with answering(f"HTTP/1.0 400 Bad Request\r\n\r\n{page}") as host:
            outcome = program("inspect", "--plain-http", f"{host}/team/img:1.0")
        check(
            outcome,
            1,
            "reg.example wants TLS, and was asked to read reg.example/team/img:1.0 over plain HTTP",
            "leave out --plain-http, or --source-plain-http where it is a source's registry",
            host,
        )

    def test_tls_to_a_plain_port(self, host: str) -> None:
        # The command would try plain HTTP first, as this machine's registries are.
        error = outage("GET /v2/", NAME, "", _failed_handshake(host))
        assert (error.message, error.hint) == (
            "could not connect to reg.example: it does not speak TLS",
            "check the port, or give --plain-http (--source-plain-http for a source)",
        )

    def test_an_untrusted_authority(self, program: Program, registry: EmbeddedRegistry) -> None:
        with serve(registry.app, tls=certificate(trustme.CA())) as server:
            outcome = program(*template(server.host))
        check(
            outcome,
            1,
            "the certificate of reg.example is not trusted: "
            "certificate verify failed: unable to get local issuer certificate",
            "point --ca-file or SSL_CERT_FILE at the CA that signed it, or give --insecure",
            server.host,
        )

    def test_an_expired_certificate(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
    ) -> None:
        dates = Dates()
        with serve(registry.app, tls=certificate(authority, until=-7)) as server:
            outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            f"the certificate of reg.example is not trusted: it ended on {dates.said(outcome, -7)}",
            f"renew it there; this machine's clock says {dates.said(outcome)}",
            server.host,
        )
        assert registry.requests == []

    def test_a_certificate_of_the_future(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
    ) -> None:
        dates = Dates()
        with serve(registry.app, tls=certificate(authority, since=3)) as server:
            outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            f"the certificate of reg.example is not trusted: it begins on {dates.said(outcome, 3)}",
            f"set the clock: this machine's clock says {dates.said(outcome)}",
            server.host,
        )

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            (["reg.internal"], "reg.internal"),
            (["reg.internal", "*.apps.internal"], "reg.internal and *.apps.internal"),
            (["a.test", "b.test", "c.test", "d.test"], "a.test, b.test, c.test and 1 more"),
        ],
    )
    def test_a_certificate_of_other_names(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
        names: list[str],
        said: str,
    ) -> None:
        with serve(registry.app, tls=certificate(authority, *names)) as server:
            outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            f"the certificate of reg.example is not trusted: it is for {said}",
            "use a name that it is for, or have one made for this name",
            server.host,
        )

    def test_a_stranger_s_certificate_of_other_names_is_not_quoted(
        self, program: Program, registry: EmbeddedRegistry
    ) -> None:
        with serve(registry.app, tls=certificate(trustme.CA(), "evil.test")) as server:
            outcome = program(*template(server.host))
        assert outcome.status == 1
        assert "evil.test" not in outcome.stderr

    @pytest.mark.parametrize(
        ("variable", "content", "reason", "kind"),
        [
            ("SSL_CERT_FILE", None, "SSL_CERT_FILE names no file", "PEM file"),
            ("SSL_CERT_FILE", "no PEM", "SSL_CERT_FILE holds no certificate", "PEM file"),
            ("SSL_CERT_DIR", None, "SSL_CERT_DIR names no folder", "folder"),
        ],
    )
    def test_authorities_that_are_not_there(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        variable: str,
        content: str | None,
        reason: str,
        kind: str,
    ) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setenv(variable, "ca-bundle")
        if content is not None:
            Path("ca-bundle").write_text(content)
        with serve(registry.app, tls=certificate(trustme.CA())) as server:
            outcome = program(*template(server.host))
        check(
            outcome,
            1,
            f"the certificate of reg.example is not trusted: {reason}: ca-bundle",
            f"name a {kind} that is there, or unset it for the system's authorities",
            server.host,
        )


def _failed_handshake(host: str) -> Exception:
    """Return what is raised where TLS is spoken to a plain server."""

    async def ask() -> Exception:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                await client.get(f"https://{host}/v2/")
            except httpx.ConnectError as error:
                return error
        raise AssertionError("it speaks TLS")

    return asyncio.run(ask())


class TestTokenServers:
    """Token servers and object stores."""

    def test_an_untrusted_token_server(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
    ) -> None:
        with serve(registry.app, tls=certificate(trustme.CA())) as other:
            registry.settings.auth = TokenService()
            registry.settings.realm = f"{other.url}/token"
            with serve(registry.app, tls=certificate(authority)) as server:
                outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            f"the certificate of the token server {other.host} is not trusted: "
            "certificate verify failed: unable to get local issuer certificate",
            "set SSL_CERT_FILE to the CA that signed it: --ca-file is the registry's",
        )

    def test_a_token_server_that_is_down(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            registry.settings.auth = TokenService()
            registry.settings.realm = f"http://127.0.0.1:{port}/token"
            outcome = program(*template(host))
        check(
            outcome,
            1,
            f"could not connect to the token server 127.0.0.1:{port}: connection refused",
            "the registry sends clients there: see whether it is up, and let through",
            host,
        )

    def test_a_token_server_that_fails(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.settings.auth = TokenService()
        registry.hooks.append(Answer(lambda request: request.url.path == "/token", 500))
        check(
            program(*template(host)),
            1,
            "the token server reg.example failed to get a token for reg.example/team/img, "
            "reg.example/team/img-amd64 and 1 more, with status 500",
            "the fault is on its side: run it again, a rerun goes on where this ended",
            host,
        )

    def test_a_token_server_that_answers_with_a_page(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.settings.auth = TokenService()
        registry.hooks.append(Answer(lambda request: request.url.path == "/token", 200, PAGE))
        check(
            program(*template(host)),
            1,
            "the answer of the token server reg.example holds no token: it is a web page",
            "the registry names a wrong token server, or a proxy answered in its place",
            host,
        )

    def test_a_realm_over_http_behind_a_proxy_that_ends_tls(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
    ) -> None:
        registry.settings.auth = TokenService()
        registry.settings.realm = "http://reg.internal/token"
        with serve(registry.app, tls=certificate(authority)) as server:
            outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            "the token server http://reg.internal does not use https",
            "reg.example does not know that it is behind TLS: let the proxy before it send "
            "X-Forwarded-Proto, or set its external URL to https",
            server.host,
        )

    def test_an_untrusted_object_store(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        authority: trustme.CA,
        ca_file: list[str],
    ) -> None:
        with serve(registry.app, tls=certificate(trustme.CA())) as store:
            registry.hooks.append(
                Answer(
                    lambda request: "/blobs/" in request.url.path and request.method == "GET",
                    307,
                    headers={"location": f"{store.url}/blob"},
                )
            )
            with serve(registry.app, tls=certificate(authority)) as server:
                outcome = program(*template(server.host, *ca_file))
        check(
            outcome,
            1,
            f"the certificate of the object store {store.host} is not trusted: "
            "certificate verify failed: unable to get local issuer certificate",
            "set SSL_CERT_FILE to the CA that signed it: --ca-file is the registry's",
        )


class TestAccess:
    """Logins, rights and limits."""

    @pytest.fixture(autouse=True)
    def _login(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
        monkeypatch.setenv("OCI_MERGE_PASSWORD", PASSWORD)

    USER = "ci (from OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD)"

    @pytest.mark.parametrize("service", [BasicAuth, TokenService])
    def test_an_account_that_may_only_read(
        self,
        program: Program,
        registry: EmbeddedRegistry,
        host: str,
        service: type[BasicAuth] | type[TokenService],
    ) -> None:
        registry.settings.auth = service(accounts=[Account("ci", PASSWORD, {"*": PULL})])
        said = (
            "requested access to the resource is denied (DENIED)"
            if service is BasicAuth
            else "authentication required (UNAUTHORIZED)"
        )
        check(
            program(*template(host)),
            1,
            f"reg.example does not allow {self.USER} to push to reg.example/team/img: {said}",
            "use credentials that may push to team/img and pull from team/img-amd64 and "
            "team/img-arm64",
            host,
            said,
        )

    def test_a_registry_that_mounts_nothing(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.settings.refuse_mounts = True
        check(
            program(*template(host)),
            1,
            "reg.example did not mount 3 blobs of team/img-amd64 and team/img-arm64 into "
            "team/img: it offered an upload instead",
            "copy the blobs with --copy-layers (copy_layers=True in Python), or push the images "
            "into the target's own repository",
            host,
        )

    def test_a_login_that_has_ended(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        said = "Your authorization token has expired. Reauthenticate and try again."
        registry.settings.auth = BasicAuth([Account("ci", PASSWORD, {"*": PUSH})])
        registry.hooks.append(
            Answer(lambda request: "authorization" in request.headers, 403, refusal("DENIED", said))
        )
        check(
            program(*template(host)),
            1,
            f"the login of {self.USER} at reg.example has ended: {said} (DENIED)",
            "log in again with docker login reg.example, or set the new token",
            host,
            said,
        )

    def test_a_full_registry(self, program: Program, registry: EmbeddedRegistry, host: str) -> None:
        said = "the quota of the project is used up"
        registry.hooks.append(
            Answer(lambda request: request.method in ("POST", "PUT"), 412, refusal("DENIED", said))
        )
        check(
            program(*template(host)),
            1,
            "reg.example did not mount 5 blobs of team/img-amd64 and team/img-arm64 into "
            f"team/img: {said} (DENIED)",
            "delete what is no longer needed there, or have the quota raised",
            host,
        )

    def test_a_page_in_place_of_a_manifest(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.hooks.append(Answer(always, 200, PAGE))
        check(
            program(*template(host)),
            1,
            "reg.example answered with a web page for reg.example/team/img-amd64:1.0",
            "it is a web site, or wants a login on a page: check the registry's name",
            host,
        )

    def test_a_web_site_in_place_of_a_registry(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.hooks.append(Answer(always, 404, PAGE))
        check(
            program(*template(host)),
            1,
            "reg.example/team/img-amd64:1.0 and reg.example/team/img-arm64:1.0 "
            "were not found on reg.example",
            "its answer is a web page: check the registry's name, and whether it is a registry",
            host,
        )

    def test_a_docker_list_at_a_registry_of_oci_alone(
        self, program: Program, registry: EmbeddedRegistry, host: str
    ) -> None:
        registry.hooks.append(OciTypesOnly())
        outcome = program("push", "from-args", *template(host))
        check(
            outcome,
            1,
            "reg.example refused to push reg.example/team/img:1.0, with status 400: "
            "manifest invalid (MANIFEST_INVALID)",
            "registries such as zot take OCI alone: make an OCI index with --format oci "
            "(push --type oci)",
            host,
        )

    def test_a_pull_limit(self, program: Program, registry: EmbeddedRegistry, host: str) -> None:
        said = "You have reached your pull rate limit."
        registry.hooks.append(Answer(always, 429, refusal("TOOMANYREQUESTS", said)))
        outcome = program("inspect", f"{host}/team/img:1.0")
        check(
            outcome,
            1,
            "pull rate limit reached at reg.example for an anonymous user while reading "
            f"reg.example/team/img:1.0: {said} (TOOMANYREQUESTS)",
            "log in with docker login reg.example: a login has a higher limit than an anonymous "
            "run; or wait until the rate-limit window of 6 hours ends",
            host,
            said,
        )


def test_no_login(program: Program, registry: EmbeddedRegistry, host: str) -> None:
    registry.settings.auth = BasicAuth([Account("ci", PASSWORD, {"*": PUSH})])
    check(
        program(*template(host)),
        1,
        "reg.example wants a login to read reg.example/team/img-amd64:1.0 and refused "
        "an anonymous user: authentication required (UNAUTHORIZED)",
        "log in with docker login reg.example, or set OCI_MERGE_USERNAME and OCI_MERGE_PASSWORD",
        host,
    )


def test_a_tag_that_is_not_there(program: Program, host: str) -> None:
    check(
        program(*template(host, name="img-ARCH:2.0")),
        1,
        "reg.example/team/img-amd64:2.0 and reg.example/team/img-arm64:2.0 "
        "were not found on reg.example",
        "check the name and the tag; some registries say the same of what the credentials may "
        "not see",
        host,
    )


def test_a_platform_by_the_name_that_uname_prints(program: Program, host: str) -> None:
    words = template(host)
    words[1] = "linux/x86_64"
    check(
        program(*words),
        1,
        "reg.example/team/img-x86_64:1.0 was not found on reg.example: "
        "manifest unknown (MANIFEST_UNKNOWN)",
        "ask for linux/amd64 where the names have amd64; x86_64 goes into them as it is written "
        "(or see --arch-alias)",
        host,
    )


def test_a_wrong_template(program: Program, host: str) -> None:
    check(
        program("--template", f"{host}/team/nix-ARCH:1.0", "--target", f"{host}/team/img:1.0"),
        1,
        "none of the images that the template names exists; "
        "tried reg.example/team/nix-amd64:1.0 and 8 more",
        "check the template, or name the platforms to join with --platforms",
        host,
    )


def test_a_wrong_port(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = program("inspect", f"{host}/team/img:1.0")
    check(
        outcome,
        1,
        "could not connect to reg.example: connection refused",
        "check the registry's name and port, and give --plain-http if it has no TLS",
        host,
    )


def test_a_host_that_is_not_there(program: Program) -> None:
    outcome = program("inspect", "--retries", "0", "registry.invalid/team/img:1.0")
    assert outcome.status == 1
    assert outcome.errors[0].startswith("error: could not connect to registry.invalid: ")
    assert outcome.errors[1:] == [
        "hint: check the registry's name and port, and give --plain-http if it has no TLS"
    ]
