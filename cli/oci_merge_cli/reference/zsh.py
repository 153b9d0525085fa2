"""Writes the completion script for zsh, with descriptions.

The script can be sourced, or put into a folder of ``fpath`` under the name ``_oci-merge``. It runs
no program. Zsh manual, "Completion System", ``_arguments`` and ``_describe``.
"""

from __future__ import annotations

from collections.abc import Iterator

from oci_merge_cli.reference.pages import Page, Parameter
from oci_merge_cli.reference.words import function_name, made_by

# When zsh loads the file as a function, the first Tab runs the whole file, so it has to complete
# there and then. Where a startup file sources it before compinit, compdef would not be found.
_END = """
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    FUNCTION "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef FUNCTION PROGRAM
fi
"""
_TO_COMMANDS = """\
        '(-): :->command' '(-)*:: :->words' && ret=0
    case $state in
        command)
            commands=(
COMMANDS
            )
            _describe -t commands 'command' commands && ret=0
            ;;
        words)
            curcontext="${curcontext%:*:*}:NAME-$words[1]:"
            case $words[1] in
BRANCHES
            esac
            ;;
    esac
    return ret
}"""


def zsh_script(root: Page) -> str:
    """Return the script.

    Args:
        root: the page of the program.
    """
    functions = "\n".join(_function(page) for page in root.walk())
    end = _END.replace("FUNCTION", function_name(root.program)).replace("PROGRAM", root.program)
    return f"#compdef {root.program}\n{made_by(root.program, 'zsh')}{functions}{end}"


def _function(page: Page) -> str:
    specs = [*_options(page), *_arguments(page)]
    lines = [f"\n{_name(page)}() {{"]
    if not page.commands:
        call = " \\\n        ".join(["    _arguments -S :", *specs])
        return "\n".join([*lines, call, "}"])
    lines += [
        '    local curcontext="$curcontext" context state state_descr line ret=1',
        "    local -a commands",
        "    local -A opt_args",
        "    _arguments -C -S : \\",
        *(f"        {spec} \\" for spec in specs),
    ]
    commands = (
        f"                '{inner.words[-1]}:{_in_quotes(inner.summary)}'"
        for inner in page.commands
    )
    branches = (
        f"                {inner.words[-1]}) {_name(inner)} && ret=0 ;;" for inner in page.commands
    )
    end = _TO_COMMANDS.replace("COMMANDS", "\n".join(commands))
    end = end.replace("BRANCHES", "\n".join(branches))
    return "\n".join([*lines, end.replace("NAME", "-".join((page.program, *page.words)))])


def _name(page: Page) -> str:
    """Return the name of the function that completes what follows the words of a page."""
    return function_name("-".join((page.program, *page.words)))


def _options(page: Page) -> Iterator[str]:
    """Yield the specification of each option that may follow the words of a page."""
    for option in page.options:
        excluded = [] if option.is_repeatable else list(option.spellings)
        # Options of the command itself are refused before another command.
        if page.commands and option not in page.shared:
            excluded += [":", "*"]
        before = f"({' '.join(excluded)})" if excluded else ""
        before += "*" if option.is_repeatable else ""
        after = f"[{_quoted(option.summary)}]{_value(option)}"
        # The long form takes its value behind = or as the next word, the short one also at once.
        marks = {True: "=", False: "+"} if option.value else {True: "", False: ""}
        for spelling in option.spellings:
            yield f"'{before}{spelling}{marks[spelling.startswith('--')]}{after}'"


def _arguments(page: Page) -> Iterator[str]:
    for number, argument in enumerate(page.arguments, 1):
        yield f"'{number}{_value(argument)}'"


def _value(parameter: Parameter) -> str:
    """Return how a value is completed: its name, and the words or files that it may be."""
    if not parameter.value:
        return ""
    name = _quoted(parameter.value.strip("<>")) if not parameter.choices else "value"
    if parameter.choices:
        return f":{name}:({' '.join(parameter.choices)})"
    return f":{name}:{'_files' if parameter.takes_files else ' '}"


def _quoted(text: str) -> str:
    """Return text for a specification that stands in single quotes."""
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return _in_quotes(text)


def _in_quotes(text: str) -> str:
    return text.replace("'", "'\\''")
