"""What sign and verify share: they take one reference and say what they did."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from oci_merge import Event
from oci_merge_cli.options.library import registry_keywords
from oci_merge_cli.options.registry import RegistryAccess
from oci_merge_cli.options.trust import ResultOptions
from oci_merge_cli.output.lines import Lines, Progress
from oci_merge_cli.output.stdout import write, write_json
from oci_merge_cli.runtime import runner
from oci_merge_cli.runtime.failures import reported
from oci_merge_cli.runtime.logging import logged


class _Result(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


_T = TypeVar("_T", bound=_Result)


def run_and_show(
    verb: Callable[..., Coroutine[Any, Any, _T]],
    reference: str,
    keywords: Callable[[], dict[str, Any]],
    text: Callable[[_T], str],
    options: ResultOptions,
    access: RegistryAccess,
) -> None:
    """Call a verb with a reference, and write its result.

    Args:
        verb: the library's verb.
        reference: the image or the index.
        keywords: returns the verb's own keywords; its errors are reported.
        text: returns the result as text.
        options: how to show it.
        access: how to reach the registry.

    Raises:
        typer.Exit: it failed; the reason was reported.
    """
    with (
        reported(usage_status=1, as_json=options.output == "json", debug=access.debug),
        logged(debug=access.debug),
    ):
        progress = Progress() if options.quiet else Lines()
        access.warn(progress.warn)
        given = {**keywords(), **registry_keywords(access)}
        show: Callable[[Event], None] = progress.show
        result = runner.run(lambda: verb(reference, on_event=show, **given))
        if options.output == "json":
            write_json(result.to_dict())
        else:
            write(text(result))
