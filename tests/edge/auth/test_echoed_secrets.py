"""A registry that repeats what it was sent does not get it shown."""

from __future__ import annotations

import base64

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import oci_merge
from fixtures.embedded import BasicAuth, EmbeddedRegistry, Hook, Settings
from fixtures.server import serve
from fixtures.tokens import Account, TokenService

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
