"""A registry that repeats what it was sent does not get it shown."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook, Settings
from fixtures.images import build_image
from fixtures.server import serve
from fixtures.tokens import Account, TokenService
from tests.edge.support import says, speaking

EVERYTHING = {"*": frozenset({"pull", "push"})}
CI = Account("ci", 'a "quoted" pässword', EVERYTHING)


class Echo(Hook):
    """Answers with the credentials of the request, as a debugging proxy might."""

    async def before(self, request: Request) -> Response | None:
        """Repeat an Authorization header, decoded as well as it can be."""
        sent = request.headers.get("authorization", "")
        if not sent or request.url.path == "/token":
            return None
        value = sent.partition(" ")[2]
        plain = base64.b64decode(value).decode() if sent.startswith("Basic") else ""
        message = f"you sent {sent}, which is {plain}"
        return JSONResponse({"errors": [{"code": value, "message": message}]}, status_code=403)


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_secrets_that_a_registry_repeats_are_masked(kind: str) -> None:
    auth = BasicAuth([CI]) if kind == "basic" else TokenService(accounts=[CI])
    registry = EmbeddedRegistry(Settings(auth=auth), hooks=[Echo()])

    with (
        serve(registry.app) as server,
        pytest.raises(oci_merge.AccessDeniedError, match=r"you sent") as caught,
    ):
        oci_merge.inspect(f"{server.host}/team/app:1", username="ci", password=CI.password)

    said = f"{caught.value} {caught.value!r} {caught.value.hint} {caught.value.details}"
    sent = [
        value.partition(" ")[2]
        for record in registry.requests
        if (value := record.headers.get("authorization"))
    ]
    assert sent
    assert not [secret for secret in [*sent, CI.password] if secret in said]


def _twice(text: str) -> str:
    return json.dumps(json.dumps(text))[3:-3]


def _escaped(text: str) -> str:
    return ascii(text)[1:-1]


_SPELLINGS: list[Callable[[str], str]] = [quote, quote_plus, _twice, _escaped]


class Spelling(Hook):
    """Repeats the password in a spelling of its own: as a warning, and as an error.

    Args:
        spell: the spelling.
        status: the status of the answer; 200 leaves the answer as it is.
    """

    def __init__(self, spell: Callable[[str], str], status: int) -> None:
        self.spelt = spell(CI.password)
        self.status = status

    async def after(self, request: Request, response: Response) -> Response:
        """Add a warning to an answer, or send an error instead."""
        if self.status != 200 and request.headers.get("authorization"):
            error = {"code": "DENIED", "message": f"no: {self.spelt}"}
            response = JSONResponse({"errors": [error]}, status_code=self.status)
        quoted = self.spelt.replace("\\", "\\\\").replace('"', '\\"')
        response.headers["warning"] = f'299 - "you sent {quoted} here"'
        return response


@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize("spell", _SPELLINGS, ids=lambda spell: spell.__name__)
def test_a_password_in_another_spelling_is_masked_in_warnings_and_errors(
    spell: Callable[[str], str], status: int
) -> None:
    hook = Spelling(spell, status)
    registry = EmbeddedRegistry(Settings(auth=BasicAuth([CI])), hooks=[hook])
    registry.add_image("team/app", "1", build_image("linux", "amd64"))
    told: list[oci_merge.Event] = []
    said = ""
    with serve(registry.app) as server:
        try:
            oci_merge.merge(
                f"{server.host}/team/app:2",
                sources=[f"{server.host}/team/app:1"],
                username="ci",
                password=CI.password,
                retries=0,
                on_event=told.append,
            )
        except oci_merge.OciMergeError as error:
            said = "".join(traceback.format_exception(error))
    warnings = [event.message for event in told if isinstance(event, oci_merge.Warned)]
    assert warnings
    assert all("you sent" in warning for warning in warnings if "warns" in warning)
    assert "***" in warnings[0]
    assert hook.spelt not in "".join(warnings) + said
    assert CI.password not in "".join(warnings) + said
    assert ("no: ***" in said) == (status != 200)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 you sent %s\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 %s\r\nContent-Length: 0\r\n\r\n",
        b"you sent %s\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nyou sent %s\r\n\r\n",
    ],
)
@pytest.mark.parametrize(
    "spelt", ["p%40ss:w0rd!", "p@ss:w0rd!", base64.b64encode(b"me:p@ss:w0rd!").decode()]
)
async def test_what_a_proxy_repeats_is_masked_wherever_it_stands(
    answer: bytes, spelt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with speaking(says(answer % spelt.encode())) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss:w0rd!@{proxy}")
        with pytest.raises(oci_merge.TransportError) as caught:
            await oci_merge.inspect_async("reg.test/team/app:1", retries=0)
    said = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert spelt not in said
    assert "***" in caught.value.message


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer", [b"%s\r\n\r\n", b"HTTP/1.1 200 OK\r\n%s\r\n\r\n", b"HTTP/1.1 2x0 %s\r\n\r\n"]
)
async def test_an_answer_that_is_no_http_but_repeats_the_request_is_masked(answer: bytes) -> None:
    pair = base64.b64encode(b"ci:hunter22").decode()
    wants = b'HTTP/1.1 401 no\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    asked = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            is_sent = pair.encode() in head
            writer.write(answer % f"you sent Basic {pair} hunter22".encode() if is_sent else wants)
            await writer.drain()
            if is_sent:
                return

    async with speaking(handle) as host:
        with pytest.raises(oci_merge.TransportError) as caught:
            await oci_merge.inspect_async(
                f"{host}/team/app:1", username="ci", password="hunter22", retries=0
            )
    said = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert asked == 2
    assert pair not in said
    assert "hunter22" not in said.replace('password="hunter22"', "")
