"""What the library says of a registry and of images commands no CI system, nor a terminal."""

from __future__ import annotations

import pytest

import oci_merge
from fixtures.embedded import EmbeddedRegistry
from fixtures.images import build_image
from fixtures.server import serve
from tests.ci_systems import COMMANDS, Says, evil_index, obeyed


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fails", [False, True])
def test_messages_of_errors_and_warnings_are_obeyed_by_none(command: str, fails: bool) -> None:
    registry = EmbeddedRegistry(hooks=[Says(command, fails=fails)])
    registry.add_image("team/index", "1", evil_index(command))
    registry.add_image("team/one", "1", build_image("linux", command, command))
    said: list[str] = []

    def note(event: oci_merge.Event) -> None:
        match event:
            case oci_merge.Warned():
                said.append(event.message)
            case oci_merge.Retrying():
                said.extend([event.subject, event.reason])

    with serve(registry.app) as server:
        for sources in (["index:1"], ["one:1"], ["one:1", "index:1"]):
            try:
                result = oci_merge.merge(
                    f"{server.host}/team/app:1",
                    sources=[f"{server.host}/team/{name}" for name in sources],
                    on_event=note,
                    retries=0,
                )
                said += result.warnings
            except oci_merge.OciMergeError as error:
                said += [error.message, error.hint, *map(str, vars(error).values())]
    assert said
    assert [line for text in said for line in obeyed(text)] == []
