"""What holds for every test: nothing of the developer's own is seen, nothing required is skipped.

`OCI_MERGE_REQUIRE_REAL_REGISTRY=1` makes a skip of a test that is marked `real_registry` a failure,
so that a run that was to try a real registry cannot pass without one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from oci_merge.client import AsyncClient
from oci_merge.http.timings import Timings

REQUIRE_REAL_REGISTRY = "OCI_MERGE_REQUIRE_REAL_REGISTRY"

# Variables of the harness itself; every other OCI_MERGE_ variable is an option of the program.
_HARNESS = frozenset({REQUIRE_REAL_REGISTRY, "OCI_MERGE_PYZ", "OCI_MERGE_WHEEL"})

_REMOVED_PREFIXES = ("AWS_", "CI_", "COSIGN_", "DOCKER_", "GITHUB_", "OCI_MERGE_", "XDG_")
_REMOVED = frozenset(
    {
        # credentials and trust
        "REGISTRY_AUTH_FILE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SSLKEYLOGFILE",
        # the way out
        "ALL_PROXY",
        "FTP_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        # what decides colours and widths
        "CI",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "LINES",
        "NO_COLOR",
        "PY_COLORS",
        "TTY_COMPATIBLE",
        "TTY_INTERACTIVE",
    }
)


# Properties are tried in reasonable time, in CI with the same values on every run; how long a busy
# machine takes to make them says nothing.
settings.register_profile(
    "project",
    max_examples=100,
    deadline=None,
    derandomize=bool(os.environ.get("CI") or os.environ.get(REQUIRE_REAL_REGISTRY)),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")


@pytest.fixture(autouse=True, scope="session")
def _developer_environment_hidden() -> Iterator[None]:
    """Hide the developer's settings from the fixtures that outlive a test."""
    with _hidden_environment():
        yield


@pytest.fixture(autouse=True)
def home(_developer_environment_hidden: None) -> Iterator[Path]:
    """The empty home folder that each test has to itself."""
    with _hidden_environment() as folder:
        yield folder


@pytest.fixture(autouse=True)
def _timings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries follow at once, but for those that a server puts off, and open nothing ahead.

    Otherwise connections would be opened ahead in some runs of a test and not in others.
    """
    monkeypatch.setattr(AsyncClient, "_timings", Timings.for_tests())


@pytest.fixture
def set_timings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes how long the clients of a test wait for what; takes fields of ``Timings``."""

    def change(**fields: Any) -> None:
        monkeypatch.setattr(AsyncClient, "_timings", replace(AsyncClient._timings, **fields))

    return change


@contextmanager
def _hidden_environment() -> Iterator[Path]:
    with TemporaryDirectory(prefix="oci-merge-") as folder, pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            removed = name.upper() in _REMOVED or name.startswith(_REMOVED_PREFIXES)
            if removed and name not in _HARNESS:
                patch.delenv(name)
        home, run = Path(folder, "home"), Path(folder, "run")
        for made in (home, run):
            made.mkdir(mode=0o700)
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(home))
        # Without it, oci-merge and the containers tools would look into /run.
        patch.setenv("XDG_RUNTIME_DIR", str(run))
        yield home


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required test into a failure."""
    report = yield
    skipped = call.excinfo is not None and call.excinfo.errisinstance(pytest.skip.Exception)
    if skipped and _required() and item.get_closest_marker("real_registry") is not None:
        assert call.excinfo is not None
        report.outcome = "failed"
        report.longrepr = _refusal(str(call.excinfo.value))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module of required tests into a failure."""
    report = yield
    registry = Path(__file__).parent / "registry"
    if report.skipped and _required() and collector.path.is_relative_to(registry):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = _refusal(reason)
    return report


def _required() -> bool:
    return os.environ.get(REQUIRE_REAL_REGISTRY) == "1"


def _refusal(reason: str) -> str:
    return f"{REQUIRE_REAL_REGISTRY}=1 allows no skip of a real_registry test, yet: {reason}"
