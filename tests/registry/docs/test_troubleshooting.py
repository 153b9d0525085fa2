"""Each message of the page about troubles is what oci-merge says when it comes to that."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from fixtures.embedded import BasicAuth, EmbeddedRegistry
from fixtures.embedded.faults import Hang, On, Refuse
from fixtures.embedded.quirks.manifests import OciTypesOnly
from fixtures.embedded.quirks.tags import ImmutableTags
from fixtures.images import build_image, build_index
from fixtures.network.forward_proxy import ForwardProxy
from fixtures.server import serve
from fixtures.tokens import Account
from oci_merge import generate_key_pair
from oci_merge_cli.program import run
from tests.cli.test_mistakes import Answer, always, answering, certificate, refusal
from tests.registry.docs.console import is_as_shown

ROOT = Path(__file__).parents[3]
PAGE = "docs/troubleshooting.md"
NAME = "registry.example"
PULL, PUSH = frozenset({"pull"}), frozenset({"pull", "push"})
PASSWORD = "a-pass-word"
KEY_PASSWORD = b"correct horse"


@dataclass
class World:
    """A registry with images to join, and what a trouble may change.

    Args:
        registry: the registry.
        host: where it is served over plain HTTP.
        folder: the working directory, with `cosign.key` and `cosign.pub`.
        monkeypatch: sets variables.
        names: what the page calls other addresses.
    """

    registry: EmbeddedRegistry
    host: str
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    names: dict[str, str] = field(default_factory=dict)

    def login(self, password: str = PASSWORD) -> None:
        """Log in as the variables of oci-merge do."""
        self.monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
        self.monkeypatch.setenv("OCI_MERGE_PASSWORD", password)

    def docker_config(self, content: str) -> None:
        """Write a docker config."""
        config = self.folder / ".docker" / "config.json"
        config.parent.mkdir()
        config.write_text(content)

    def accounts(self, actions: frozenset[str] = PUSH) -> None:
        """Let nobody in but one user."""
        self.registry.settings.auth = BasicAuth([Account("ci", PASSWORD, {"*": actions})])

    def merge(self, *more: str, host: str = "", name: str = "app-ARCH:1.0") -> list[str]:
        """Return the usual merge."""
        where = host or self.host
        return [
            *("--platforms", "linux/amd64,linux/arm64", "--template", f"{where}/team/{name}"),
            *("--target", f"{where}/team/app:1.0", *more),
        ]

    def inspect(self, *more: str, host: str = "") -> int:
        """Read one image, so that one request fails and not several at once."""
        return self.program("inspect", *more, f"{host or self.host}/team/app-amd64:1.0")

    def program(self, *arguments: str) -> int:
        """Run the program in this process."""
        return run(arguments)


Provoke = Callable[[World], int]

TROUBLES: dict[str, Provoke] = {}
"""What brings a trouble about, by its heading on the page; it returns the exit status."""


def trouble(heading: str) -> Callable[[Provoke], Provoke]:
    """Register what brings about the trouble below a heading."""

    def register(provoke: Provoke) -> Provoke:
        assert heading not in TROUBLES
        TROUBLES[heading] = provoke
        return provoke

    return register


# Installation


@trouble("pip finds no oci-merge")
def _not_released(world: World) -> int:
    return _python("-m", "pip", "install", "--no-index", "--target", "installed", "oci-merge")


@trouble("The command is not found")
def _not_on_path(world: World) -> int:
    return _other("bash", "-c", "PATH=/nowhere; oci-merge --version")


@trouble("pip may not install into the system's Python")
def _externally_managed(world: World) -> int:
    # A Python that is marked as Debian's is, and is in no virtual environment.
    (world.folder / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=\n")
    code = (
        "import sysconfig, pip._internal.utils.misc as misc\n"
        f"sysconfig.get_path = lambda *_: {str(world.folder)!r}\n"
        "misc.running_under_virtualenv = lambda: False\n"
        "from pip._internal.cli.main import main\n"
        "raise SystemExit(main(['install', '--no-index', 'oci-merge']))\n"
    )
    return _python("-c", code)


@trouble("A Python that is too old")
def _old_python(world: World) -> int:
    wheel = world.folder / "oci_merge-0.1.0-py3-none-any.whl"
    wanted = re.search(r'^requires-python = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert wanted is not None
    with zipfile.ZipFile(wheel, "w") as archive:
        said = ["Metadata-Version: 2.1", "Name: oci-merge", "Version: 0.1.0"]
        said.append(f"Requires-Python: {wanted[1]}")
        archive.writestr("oci_merge-0.1.0.dist-info/METADATA", "\n".join(said))
        archive.writestr("oci_merge-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    older = ("--python-version", "3.9.18", "--only-binary", ":all:", "--target", "installed")
    return _python("-m", "pip", "install", "--no-index", "--no-deps", *older, str(wheel))


# Logins


@trouble("No login")
def _no_login(world: World) -> int:
    world.accounts()
    return world.inspect()


@trouble("A wrong password")
def _wrong_password(world: World) -> int:
    world.accounts()
    world.login("another")
    return world.inspect()


@trouble("Half a login")
def _half_a_login(world: World) -> int:
    world.accounts()
    world.monkeypatch.setenv("OCI_MERGE_USERNAME", "ci")
    return world.inspect()


@trouble("The login may not push")
def _may_not_push(world: World) -> int:
    world.accounts(PULL)
    world.login()
    return world.program(*world.merge())


@trouble("The login has ended")
def _login_has_ended(world: World) -> int:
    world.accounts()
    world.login()
    said = "Your authorization token has expired. Reauthenticate and try again."
    world.registry.hooks.append(Answer(_is_logged_in, 403, refusal("DENIED", said)))
    return world.program(*world.merge())


def _is_logged_in(request: object) -> bool:
    return "authorization" in getattr(request, "headers", {})


@trouble("A login that cannot be read")
def _unreadable_login(world: World) -> int:
    world.accounts()
    world.docker_config('{"auths": ')
    return world.inspect()


@trouble("A credential helper that is not installed")
def _no_helper(world: World) -> int:
    world.accounts()
    world.docker_config(json.dumps({"credsStore": "desktop"}))
    return world.inspect()


# Names


@trouble("An image is not there")
def _missing_image(world: World) -> int:
    return world.program(*world.merge(name="app-ARCH:2.0"))


@trouble("None of the images is there")
def _no_image_at_all(world: World) -> int:
    name = f"{world.host}/team/web-ARCH:1.0"
    return world.program("--template", name, "--target", f"{world.host}/team/web:1.0")


@trouble("A template without a placeholder")
def _no_placeholder(world: World) -> int:
    return world.program(*world.merge(name="app:1.0"))


@trouble("A variable that was not filled in")
def _unfilled_variable(world: World) -> int:
    return world.program(*world.merge("--tags", "$TAG"))


@trouble("A variable that is empty")
def _empty_variable(world: World) -> int:
    name = f"{world.host}/team/app-amd64:1.0"
    return world.program("--source", name, "--target", f"{world.host}/team/app:")


@trouble("An option without a value")
def _no_value(world: World) -> int:
    return world.program("--tags", *world.merge())


@trouble("A word that is no command")
def _no_command(world: World) -> int:
    return world.program("create", "--tag", f"{world.host}/team/app:1.0")


@trouble("A target without a tag")
def _untagged_target(world: World) -> int:
    name = f"{world.host}/team/app-amd64:1.0"
    return world.program("--source", name, "--target", f"{world.host}/team/app")


@trouble("Capitals in a name")
def _capitals(world: World) -> int:
    name = f"{world.host}/team/app-amd64:1.0"
    return world.program("--source", name, "--target", f"{world.host}/Team/App:1.0")


@trouble("Images in another registry")
def _other_registry(world: World) -> int:
    name = f"{world.host}/team/app-amd64:1.0"
    return world.program("--source", name, "--target", "other.example/team/app:1.0")


@trouble("An image ID in place of a digest")
def _image_id(world: World) -> int:
    config = build_image("linux", "amd64").config.digest
    (world.folder / "amd64.iid").write_text(config)
    return world.program(
        *("--source-file", "amd64.iid", "--source-repository", f"{world.host}/team/app-amd64"),
        *("--target", f"{world.host}/team/app:1.0"),
    )


# Platforms


@trouble("An image of another platform")
def _mismatch(world: World) -> int:
    world.registry.add_image("team/app-arm64", "1.0", build_image("linux", "amd64", text="b"))
    return world.program(*world.merge("--platform-check", "error"))


@trouble("Two images of one platform")
def _twice(world: World) -> int:
    world.registry.add_image("team/app-intel", "1.0", build_image("linux", "amd64", text="b"))
    sources = [f"{world.host}/team/app-{name}:1.0" for name in ("amd64", "intel")]
    words = [word for source in sources for word in ("--source", source)]
    return world.program(*words, "--target", f"{world.host}/team/app:1.0")


@trouble("A platform by the name that uname prints")
def _uname(world: World) -> int:
    words = world.merge()
    words[1] = "linux/x86_64"
    return world.program(*words)


@trouble("An image whose config says no platform")
def _no_platform(world: World) -> int:
    world.registry.add_image("team/files", "1.0", build_image("", ""))
    source = f"{world.host}/team/files:1.0"
    return world.program("--source", source, "--target", f"{world.host}/team/app:1.0")


# What the registry does not do


@trouble("Blobs are not mounted")
def _no_mounts(world: World) -> int:
    world.registry.settings.refuse_mounts = True
    return world.program(*world.merge())


@trouble("A tag that may not move")
def _immutable(world: World) -> int:
    standing = build_index([build_image("linux", "amd64", text="b")])
    world.registry.add_image("team/app", "1.0", standing)
    words = "tag {tag} is immutable"
    world.registry.hooks.append(ImmutableTags("*", 409, "TAG_IMMUTABLE", words))
    return world.program(*world.merge())


@trouble("A pull limit")
def _pull_limit(world: World) -> int:
    said = "You have reached your pull rate limit."
    world.registry.hooks.append(Answer(always, 429, refusal("TOOMANYREQUESTS", said)))
    return world.inspect()


@trouble("Too many requests")
def _too_many_requests(world: World) -> int:
    world.registry.hooks.append(Answer(always, 429))
    return world.inspect()


@trouble("The registry fails")
def _server_error(world: World) -> int:
    world.registry.hooks.append(Answer(always, 503))
    return world.inspect()


@trouble("The registry is full")
def _full(world: World) -> int:
    said = "the quota of the project is used up"
    world.registry.hooks.append(
        Answer(lambda request: request.method in ("POST", "PUT"), 412, refusal("DENIED", said))
    )
    return world.program(*world.merge())


@trouble("A registry of OCI alone")
def _oci_alone(world: World) -> int:
    world.registry.hooks.append(OciTypesOnly())
    return world.program("push", "from-args", *world.merge())


@trouble("Some tags moved")
def _half_done(world: World) -> int:
    world.accounts()
    world.login()
    refused = Refuse("DENIED", message="the tag latest is protected")
    world.registry.hooks.append(On("PUT", "*/manifests/latest", refused))
    return world.program(*world.merge("--tags", "latest"))


@trouble("A tag would lose a platform")
def _loss(world: World) -> int:
    images = [build_image("linux", name) for name in ("amd64", "arm64", "s390x")]
    world.registry.add_image("team/app", "1.0", build_index(images))
    return world.program(*world.merge("--no-shrink"))


# The network


@trouble("A certificate that is not trusted")
def _untrusted(world: World) -> int:
    with serve(world.registry.app, tls=certificate(trustme.CA())) as server:
        world.names[server.host] = NAME
        return world.program(*world.merge(host=server.host))


@trouble("A certificate for another name")
def _other_name(world: World) -> int:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(world.folder / "ca.pem")
    with serve(world.registry.app, tls=certificate(authority, "registry.internal")) as server:
        world.names[server.host] = NAME
        return world.program(*world.merge("--ca-file", "ca.pem", host=server.host))


@trouble("An authority's file that is not there")
def _no_ca_file(world: World) -> int:
    world.monkeypatch.setenv("SSL_CERT_FILE", "/builds/ca.pem")
    with serve(world.registry.app, tls=certificate(trustme.CA())) as server:
        world.names[server.host] = NAME
        return world.program(*world.merge(host=server.host))


@trouble("Plain HTTP where TLS is spoken")
def _plain_to_tls(world: World) -> int:
    # Go's servers, and so distribution and Harbor's, answer this.
    page = "Client sent an HTTP request to an HTTPS server.\n"
    with answering(f"HTTP/1.0 400 Bad Request\r\n\r\n{page}") as host:
        world.names[host] = NAME
        return world.inspect("--plain-http", host=host)


@trouble("TLS where plain HTTP is spoken")
def _tls_to_plain(world: World) -> int:
    # A name that is not this machine's to oci-merge, which would try plain HTTP first there.
    port = world.host.rpartition(":")[2]
    found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
    world.monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    world.names[f"{NAME}:{port}"] = NAME
    return world.program(*world.merge(host=f"{NAME}:{port}"))


@trouble("Nothing listens there")
def _refused(world: World) -> int:
    with _nobody() as host:
        world.names[host] = NAME
        return world.program(*world.merge(host=host))


@trouble("The name is not known")
def _no_such_host(world: World) -> int:
    world.names["registry.invalid"] = NAME
    return world.program(*world.merge(host="registry.invalid"))


@trouble("The proxy does not answer")
def _no_proxy(world: World) -> int:
    with _nobody() as host:
        world.names[host] = "proxy.example:3128"
        world.monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
        return world.program(*world.merge(host=NAME))


@trouble("The proxy wants a login")
def _proxy_login(world: World) -> int:
    with ForwardProxy(login="user:password") as proxy:
        world.names[proxy.url.removeprefix("http://")] = "proxy.example:3128"
        world.monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        return world.program(*world.merge(host=NAME))


@trouble("No answer comes")
def _silence(world: World) -> int:
    world.registry.hooks.append(On("GET", "*", Hang()))
    return world.inspect("--timeout", "0.2", "--retries", "0")


@trouble("A web site in place of a registry")
def _web_site(world: World) -> int:
    page = "<!DOCTYPE html><html><title>Sign in</title></html>"
    world.registry.hooks.append(Answer(always, 200, page))
    return world.inspect()


# Signatures


@trouble("A key without its password")
def _no_key_password(world: World) -> int:
    return world.program(*world.merge("--sign", "--sign-key", "cosign.key"))


@trouble("A wrong password of a key")
def _wrong_key_password(world: World) -> int:
    world.monkeypatch.setenv("COSIGN_PASSWORD", "another")
    return world.program(*world.merge("--sign", "--sign-key", "cosign.key"))


@trouble("Images that nobody signed")
def _not_signed(world: World) -> int:
    return world.program(*world.merge("--verify-key", "cosign.pub"))


def _python(*arguments: str) -> int:
    """Run another Python, and hand on what it says."""
    return _other(sys.executable, *arguments)


def _other(*command: str) -> int:
    """Run another program, and hand on what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    sys.stderr.write(done.stdout + done.stderr)
    return done.returncode


@contextmanager
def _nobody() -> Iterator[str]:
    """Keep a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def shown() -> dict[str, list[str]]:
    """Return the messages of the page by their headings."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    found = re.findall(r"^### ([^\n]+)\n\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {heading: message.splitlines() for heading, message in found}


@pytest.fixture(scope="module")
def keys() -> dict[str, bytes]:
    """The files of a pair of keys."""
    return dict(zip(("cosign.key", "cosign.pub"), generate_key_pair(KEY_PASSWORD), strict=True))


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, bytes]
) -> Iterator[World]:
    """A registry with two images, and a home folder with a pair of keys."""
    registry = EmbeddedRegistry()
    for architecture in ("amd64", "arm64"):
        registry.add_image(f"team/app-{architecture}", "1.0", build_image("linux", architecture))
    for name, content in keys.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with serve(registry.app) as server:
        yield World(registry, server.host, tmp_path, monkeypatch)


def said(world: World, stderr: str) -> list[str]:
    """Return what was said, with the names of the page in place of this machine's."""
    for address, name in (world.names | {world.host: NAME}).items():
        stderr = stderr.replace(address, name)
    stderr = stderr.replace(str(world.folder), "/home/ci")
    kept = ("error: ", "hint: ", "ERROR: ", "bash: ", "No help topic ")
    return [line for line in stderr.splitlines() if line.startswith(kept)]


@pytest.mark.parametrize("heading", TROUBLES)
def test_a_trouble_says_what_the_page_shows(
    world: World, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = TROUBLES[heading](world)

    lines = said(world, capsys.readouterr().err)
    assert status in (1, 2, 3, 127)
    assert is_as_shown(lines, shown()[heading]), "\n".join(lines)


def test_every_message_of_the_page_is_brought_about() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == list(shown())
    assert set(shown()) == set(TROUBLES)
