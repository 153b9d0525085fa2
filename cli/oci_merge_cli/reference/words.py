"""What the completion scripts of all shells need."""

from __future__ import annotations

import re

from oci_merge_cli.reference.pages import Page


def function_name(program: str) -> str:
    """Return the name of the shell function that completes a program."""
    return "_" + re.sub(r"\W", "_", program)


def made_by(program: str, shell: str) -> str:
    """Return the comment that says how a script was made."""
    return f"# Completion of {program} for {shell}. Made by: {program} completion {shell}\n"


def outcomes(root: Page) -> dict[tuple[tuple[str, ...], bool], list[tuple[str, str]]]:
    """Return what can be completed for values, each with the places where it can.

    Args:
        root: the page of the program.

    Returns:
        By the words that a value may be, and whether it may be a file: the paths of commands with
        an option; no option stands for the first argument of the command.
    """
    found: dict[tuple[tuple[str, ...], bool], list[tuple[str, str]]] = {}
    for page in root.walk():
        for parameter in (*page.options, *page.arguments[:1]):
            outcome = parameter.choices, parameter.takes_files
            if parameter.value and any(outcome):
                for spelling in parameter.spellings or ("",):
                    found.setdefault(outcome, []).append((page.path, spelling))
    return found
