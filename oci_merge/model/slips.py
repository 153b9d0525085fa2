"""What a wrong word of the command line or of a CI file was likely meant to be. Pure."""

from __future__ import annotations

import re

from oci_merge._text import printable

#: Variables of shells, make, Azure, GitHub, Jinja and cmd that nobody filled in.
_VARIABLE = re.compile(
    r"\$\{\{.{0,80}?\}\}|\$\{[^{}]{1,80}\}|\$\([^()]{1,80}\)|\$\w+|\{\{.{0,80}?\}\}|%\w+%"
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.IGNORECASE)


def unfilled_hint(text: str) -> str:
    """Return what to do about a variable that was not filled in, or an empty string."""
    found = _VARIABLE.search(text)
    if found is None:
        return ""
    return (
        f"{printable(found[0])} was not filled in: write it in double quotes, not in single ones, "
        "and see that it is set"
    )


def platform_hint(text: str) -> str:
    """Return what a text that is no platform was likely meant to be."""
    if hint := unfilled_hint(text):
        return hint
    form = "a platform is os/architecture or os/architecture/variant"
    if not text:
        return f"drop the comma too many, or set the variable for it: {form}"
    if any(quote in text for quote in _QUOTES):
        return f"leave out the quotes within the value: {form}"
    if re.search(r"[\s;|+&,]", text):
        return f"part platforms by commas, without spaces: {form}"
    if _NAME.fullmatch(text):
        return f"write linux/{text}: {form}"
    return f"{form}, for example linux/amd64 or linux/arm/v7"


def several_hint(source: str) -> str:
    """Return what to do where several images stand in one source, or an empty string."""
    if not re.search(r"[\s,]", source.strip()) or unfilled_hint(source):
        return ""
    return "give --source once for each image (in Python, each image is an item of sources)"


def template_hint(template: str) -> str:
    """Return how to write the placeholder of a template that has none."""
    found = re.search(r"\{*(arch(itecture)?|variant)\}*", template, re.IGNORECASE)
    if found:
        return f"placeholders are bare capitals: write ARCH in place of {printable(found[0])}"
    return "write it like reg.example/app-ARCH:1.0, or name the images with --source"
