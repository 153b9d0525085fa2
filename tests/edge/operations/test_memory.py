"""What an index of large manifests costs: the run bounds the memory, not the image's author."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.embedded import EmbeddedRegistry
from fixtures.embedded.storage import StoredManifest
from fixtures.images import digest_of
from fixtures.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from fixtures.server import RunningServer

_MIB = 1024 * 1024
_MOST = 200
#: Just below the 4 MiB that a manifest may have.
_FULL = 4 * _MIB - 4096
_PROGRAM = """
import sys
import oci_merge

host, verb = sys.argv[1:]
try:
    if verb == "inspect":
        oci_merge.inspect(f"{host}/team/large:1")
    else:
        oci_merge.merge(f"{host}/team/merged:1", sources=[f"{host}/team/large:1"])
except oci_merge.OciMergeError as error:
    print(error.message)
# Not getrusage, whose peak a process takes over from the one that started it.
with open("/proc/self/status") as status:
    [peak] = [line.split()[1] for line in status if line.startswith("VmHWM:")]
print(int(peak) // 1024)
"""


def _descriptor(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content), **more}


_LAYER = _descriptor(b"layer", OCI_LAYER)
_CONFIG = _descriptor(b"{}", OCI_CONFIG)


def _filled(unit: str, count: int) -> str:
    return ",".join([unit] * count)


def _manifest(number: int, **fields: str) -> bytes:
    """Return a manifest with fields in raw JSON; the number makes it another one than others."""
    start = {
        "schemaVersion": "2",
        "x": str(number),
        "mediaType": json.dumps(OCI_MANIFEST),
        "config": json.dumps(_CONFIG),
        "layers": "[]",
    }
    body = ",".join(f"{json.dumps(name)}:{raw}" for name, raw in (start | fields).items())
    return f"{{{body}}}".encode()


def _padded(number: int) -> bytes:
    return _manifest(number, annotations=json.dumps({"pad": "x" * (_FULL - 400)}))


def _annotated(number: int) -> bytes:
    notes = ",".join(f'"{n}":""' for n in range(330_000))
    return _manifest(number, annotations=f"{{{notes}}}")


def _layered(number: int) -> bytes:
    layer = json.dumps(_LAYER, separators=(",", ":"))
    return _manifest(number, layers=f"[{_filled(layer, _FULL // (len(layer) + 1) - 10)}]")


def _annotated_layer(number: int) -> bytes:
    notes = ",".join(f'"{n}":""' for n in range(330_000))
    return _manifest(number, layers=f'[{json.dumps(_LAYER)[:-1]},"annotations":{{{notes}}}}}]')


def _junk(number: int) -> bytes:
    return _manifest(number, junk=f"[{_filled('[]', _FULL // 3 - 200)}]")


def _urls(number: int) -> bytes:
    urls = _filled('""', _FULL // 3 - 200)
    return _manifest(number, layers=f'[{json.dumps(_LAYER)[:-1]},"urls":[{urls}]}}]')


_KINDS = [_padded, _annotated, _layered, _annotated_layer, _junk, _urls]


def _put(registry: EmbeddedRegistry, content: bytes, kind: str, *tags: str) -> None:
    registry.storage.put_manifest(
        "team/large", StoredManifest(digest_of(content), kind, content), tags
    )


def _index(entries: list[dict[str, Any]]) -> bytes:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return json.dumps(document).encode()


def _platform(number: int) -> dict[str, str]:
    return {"os": "linux", "architecture": f"a{number}"}


def _list(registry: EmbeddedRegistry, contents: list[bytes], *, size: int | None = None) -> None:
    """Push manifests and an index of them, which may lie about their sizes."""
    registry.storage.put_blob("team/large", _CONFIG["digest"], b"{}")
    registry.storage.put_blob("team/large", _LAYER["digest"], b"layer")
    entries = []
    for number, content in enumerate(contents):
        _put(registry, content, OCI_MANIFEST)
        entry = _descriptor(content, OCI_MANIFEST, platform=_platform(number))
        entries.append(entry if size is None else {**entry, "size": size})
    _put(registry, _index(entries), OCI_INDEX, "1")


def _run(server: RunningServer, verb: str) -> tuple[int, str]:
    """Run a merge or an inspection in a process of its own.

    Returns:
        The most memory that it took, in MiB, and its error.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, server.host, verb],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *error, peak = done.stdout.splitlines()
    return int(peak), " ".join(error)


@pytest.mark.parametrize("verb", ["merge", "inspect"])
@pytest.mark.parametrize("kind", [_padded, _layered])
def test_twenty_manifests_of_4_mib_are_refused_before_one_is_fetched(
    kind: Callable[[int], bytes], verb: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _list(registry, [kind(number) for number in range(20)])
    peak, error = _run(server, verb)
    assert "have more than 32 MiB together" in error
    assert peak < _MOST


@pytest.mark.parametrize("verb", ["merge", "inspect"])
@pytest.mark.parametrize("kind", _KINDS)
def test_as_many_large_manifests_as_are_allowed_take_little(
    kind: Callable[[int], bytes], verb: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _list(registry, [kind(number) for number in range(7)])
    peak, error = _run(server, verb)
    assert error == "" or "name more than 10000 blobs together" in error
    assert peak < _MOST


@pytest.mark.parametrize("verb", ["merge", "inspect"])
def test_large_manifests_that_an_index_calls_small_are_not_read(
    verb: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    _list(registry, [_padded(number) for number in range(20)], size=1)
    peak, error = _run(server, verb)
    assert "more than 65536 bytes" in error
    assert peak < _MOST


@pytest.mark.parametrize("verb", ["merge", "inspect"])
def test_large_indexes_within_an_index_take_little(
    verb: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    notes = {str(n): "" for n in range(300_000)}
    entries = []
    for number in range(7):
        entry = _descriptor(str(number).encode(), OCI_MANIFEST, annotations=notes)
        content = _index([entry])
        _put(registry, content, OCI_INDEX)
        entries.append(_descriptor(content, OCI_INDEX))
    _put(registry, _index(entries), OCI_INDEX, "1")
    peak, error = _run(server, verb)
    assert error
    assert peak < _MOST


@pytest.mark.parametrize("verb", ["merge", "inspect"])
def test_a_large_index_takes_little(
    verb: str, server: RunningServer, registry: EmbeddedRegistry
) -> None:
    notes = {str(n): "" for n in range(300_000)}
    content = _index([_descriptor(b"x", OCI_MANIFEST, annotations=notes)])
    _put(registry, content, OCI_INDEX, "1")
    peak, _ = _run(server, verb)
    assert peak < _MOST
