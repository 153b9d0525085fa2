"""What an application hears that logs everything: nothing of ours that is secret."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from fixtures.embedded import BasicAuth, Settings
from fixtures.network.http2 import serve_http2
from fixtures.server import RunningServer, ServerTLS, serve
from oci_merge.http.message import Request
from oci_merge.http.quiet import LOGGERS, unlogged
from tests.edge.support import CI, PASSWORD, session, stocked, with_tokens

#: An application that asks for every record of every logger, before and after it imports us.
_APPLICATION = """
import logging, sys
logging.basicConfig(level=1, stream=sys.stdout, format="%(name)s %(message)s %(args)s")
import oci_merge
for name in ["httpx", "httpcore", "httpcore.http11", "httpcore.http2", "hpack.hpack", "hpack"]:
    logging.getLogger(name).setLevel(1)
oci_merge.inspect(sys.argv[1], username="ci", password=sys.argv[2])
"""


def _logged(host: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _APPLICATION, f"{host}/team/app-amd64:1.0", PASSWORD],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("protocol", ["http", "https", "http2"])
def test_an_application_that_logs_everything_logs_no_secret_and_no_header(
    kind: str, protocol: str, tls: ServerTLS
) -> None:
    auth = BasicAuth([CI]) if kind == "basic" else with_tokens()
    app = stocked(Settings(auth=auth)).app
    if protocol == "http2":
        serving = serve_http2(app, tls)
    else:
        serving = serve(app, tls=tls if protocol == "https" else None)
    with serving as running:
        said = _logged(running.host)
    assert "oci_merge.http.transport GET /v2/team/app-amd64/manifests/1.0: 200" in said
    pair = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, pair, "eyJ", "authorization", "content-digest"):
        assert secret.lower() not in said.lower()
    assert not re.search(r"^(httpx|httpcore|h2|hpack)\b", said, re.MULTILINE)


async def _ask(host: str) -> None:
    asked = session(host, plain_http=True)
    await asked.send(Request("GET", "/v2/?sig=s1gnature", authorization="Basic c2VjcmV0"))
    await asked.transport.aclose()


def test_an_application_s_own_requests_are_logged_as_ever(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)

    async def both() -> None:
        async with httpx.AsyncClient() as own:
            await own.get(f"{server.url}/v2/", headers={"x-own": "1"})
            await asyncio.gather(_ask(server.host), own.get(f"{server.url}/v2/?own"))

    asyncio.run(both())
    assert "/v2/?own" in caplog.text
    assert "httpcore" in caplog.text
    assert "s1gnature" not in caplog.text
    assert "c2VjcmV0" not in caplog.text


def test_loggers_are_as_they_were_before_and_after(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("httpcore.http11")
    caplog.set_level(1)
    with unlogged():
        logger.debug("ours")
    logger.debug("yours")
    assert [record.getMessage() for record in caplog.records] == ["yours"]
    assert logger.level == logging.NOTSET
    assert logger.propagate


@pytest.mark.parametrize("package", ["httpx", "httpcore", "h2", "hpack", "hyperframe", "h11"])
def test_every_logger_of_the_http_library_is_known(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    found: set[str] = set()
    for file in Path(spec.origin).parent.rglob("*.py"):
        module = ".".join(
            [package, *file.relative_to(Path(spec.origin).parent).with_suffix("").parts]
        )
        for name in re.findall(r"getLogger\((.*?)\)", file.read_text()):
            found.add(module if name == "__name__" else name.strip("\"'"))
    assert found <= set(LOGGERS)
