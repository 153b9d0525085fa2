"""Writes the completion script for fish, with descriptions.

fish runs the script's functions alone, and no program. fish manual, "complete".
"""

from __future__ import annotations

from collections.abc import Iterator

from oci_merge_cli.reference.pages import Page, Parameter
from oci_merge_cli.reference.words import function_name, made_by

# All options of a command have one condition, which fish then asks once for each Tab.
_FUNCTIONS = r"""
# Tell whether a word is an option of a command that takes a value.
function _FUNCTION_takes_value
    switch "$argv[1]:$argv[2]"
VALUED
            return 0
    end
    return 1
end

# Tell whether the words before the cursor name a command. With "bare", no option that is refused
# before the name of another command may be among them.
function _FUNCTION_at
    set -l path
    set -l bare 1
    set -l awaits 0
    for word in (commandline -opc)[2..-1]
        if test $awaits = 1
            set awaits 0
        else if string match -q -- '-*' $word
            # -name is --name, as in Go.
            set -l option (string replace -r -- '^-(?=[^-].)' -- $word)
            _FUNCTION_takes_value "$path" $option; and set awaits 1
            switch "$path:"(string replace -r -- '=.*' '' $option)
SHARED
                case '*'
                    set bare 0
            end
        else
            switch "$path:$word"
COMMANDS
                    set -a path $word
                    set bare 1
            end
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test "$argv[2]" != bare -o $bare = 1
end

complete -c PROGRAM -f
"""


def fish_script(root: Page) -> str:
    """Return the script.

    Args:
        root: the page of the program.
    """
    pages = list(root.walk())
    valued = (
        f"{page.path}:{spelling}"
        for page in pages
        for option in page.options
        if option.value
        for spelling in option.spellings
    )
    shared = (
        f"{page.path}:{spelling}"
        for page in pages
        for option in page.shared
        for spelling in option.spellings
    )
    commands = (f"{page.path}:{inner.words[-1]}" for page in pages for inner in page.commands)
    body = _FUNCTIONS.replace("VALUED", _case(valued, 8))
    body = body.replace("SHARED", _case(shared, 16)).replace("COMMANDS", _case(commands, 16))
    body = body.replace("_FUNCTION", f"_{function_name(root.program)}")
    body = body.replace("PROGRAM", root.program)
    lines = (line for page in pages for line in _completions(page))
    return made_by(root.program, "fish") + body + "\n".join(lines) + "\n"


def _case(words: Iterator[str], indentation: int) -> str:
    return " " * indentation + "case " + " ".join(f"'{word}'" for word in words)


def _completions(page: Page) -> Iterator[str]:
    start = f'complete -c {page.program} -n \'_{function_name(page.program)}_at "{page.path}"'
    for inner in page.commands:
        yield f"{start} bare' -a {inner.words[-1]} -d {_quoted(inner.summary)}"
    for option in page.options:
        names = " ".join(
            f"-l {spelling[2:]}" if spelling.startswith("--") else f"-s {spelling[1:]}"
            for spelling in option.spellings
        )
        yield f"{start}' {names}{_value(option)} -d {_quoted(option.summary)}"
    for argument in page.arguments[:1]:
        if argument.takes_files or argument.choices:
            files = " -F" if argument.takes_files else ""
            words = f" -a '{' '.join(argument.choices)}'" if argument.choices else ""
            yield f"{start}'{files}{words}"


def _value(option: Parameter) -> str:
    if not option.value:
        return ""
    if option.takes_files:
        return " -r -F"
    # Without -f, -r alone would offer files.
    return " -x" + (f" -a '{' '.join(option.choices)}'" if option.choices else "")


def _quoted(text: str) -> str:
    """Return text in single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
