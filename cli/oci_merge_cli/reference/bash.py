"""Writes the completion script for bash, 3.2 (macOS) and newer.

The script runs no program, and needs neither the package bash-completion nor a feature that only
newer versions of bash have: no associative arrays, and ``compopt`` only where it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oci_merge_cli.reference.pages import Page, Parameter
from oci_merge_cli.reference.words import function_name, made_by, outcomes

# Files are completed by bash itself (-o default), which knows of ~, quotes and spaces in names: the
# function replies nothing. Where no file belongs, it takes the default away.
_SCRIPT = r"""
# Set what may follow the words of a command: its options, those that take a value, those that may
# be given again, those that may stand before a command, and its commands.
FUNCTION_at() {
    case $1 in
LEVELS
    esac
}

# Set what the value of an option or an argument may be: words, or files.
FUNCTION_value() {
    words='' files=''
    case $1:$2 in
VALUES
    esac
}

FUNCTION() {
    local IFS=$' \t\n'
    local line=${COMP_LINE:0:COMP_POINT} parts count=0 i text gap word
    local options valued again before commands words files
    local path='' awaited='' given=' ' ended='' placed='' option current prefix='' offered=''
    parts=()
    COMPREPLY=()

    # Bash divides words at : and = too (COMP_WORDBREAKS), and so cuts image:tag and --option=value
    # into pieces. What no space divides is one word here.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        text=${COMP_WORDS[i]}
        gap=${line%%[![:space:]]*}
        line=${line#"$gap"}
        if [[ -z $gap && $count -gt 0 ]]; then
            parts[count - 1]+=${line:0:${#text}}
        else
            parts[count]=${line:0:${#text}}
            count=$((count + 1))
        fi
        line=${line:${#text}}
    done

    FUNCTION_at ''
    for ((i = 1; i < count - 1; i++)); do
        word=${parts[i]}
        if [[ -n $awaited ]]; then
            awaited=''
        elif [[ $word == *[\<\>] ]]; then
            awaited='>'
        elif [[ $word == -- ]]; then
            ended=1
        elif [[ -z $ended && $word == -?* ]]; then
            option=${word%%=*}
            # -name is --name, as in Go.
            [[ $options != *" $option "* && $options == *" -$option "* ]] && option=-$option
            given+="$option "
            [[ $word != *=* && $valued == *" $option "* ]] && awaited=$option
        elif [[ $commands == *" $word "* ]]; then
            path+="${path:+ }$word"
            FUNCTION_at "$path"
            given=' '
        elif [[ -z $commands ]]; then
            placed=1
        fi
    done

    current=${parts[count - 1]}
    words='' files=''
    if [[ $awaited == '>' || $current == [\<\>]* ]]; then
        files=1
    elif [[ -n $awaited ]]; then
        FUNCTION_value "$path" "$awaited"
    elif [[ -z $ended && $current == -*=* ]]; then
        option=${current%%=*}
        [[ $options != *" $option "* && $options == *" -$option "* ]] && option=-$option
        FUNCTION_value "$path" "$option"
        # Bash replaces what follows the last = alone, unless = does not divide words.
        [[ ${COMP_WORDBREAKS-=} == *=* ]] || prefix=${current%%=*}=
        current=${current#*=}
    else
        if [[ -z $placed && ($current != -* || -n $ended) ]]; then
            FUNCTION_value "$path" ''
            words+=$commands
        fi
        for option in $options; do
            [[ $given != *" $option "* || $again == *" $option "* ]] && offered+=" $option"
            # Options of the command itself are refused before another command.
            [[ $given == *" $option "* && $before != *" $option "* ]] && words=${words%"$commands"}
        done
        [[ -z $ended && ($current == -* || -z ${words// /}$files) ]] && words+=$offered
    fi

    if [[ -z $files ]]; then
        compopt +o default +o bashdefault 2>/dev/null
    elif [[ -n $prefix ]]; then
        compopt -o filenames 2>/dev/null
        IFS=$'\n'
        COMPREPLY=($(compgen -P "$prefix" -f -- "$current"))
        return
    fi
    current=${current#[\"\']}
    COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$current"))
}

complete -o bashdefault -o default -F FUNCTION PROGRAM
"""


def bash_script(root: Page) -> str:
    """Return the script.

    Args:
        root: the page of the program.
    """
    body = _SCRIPT.replace("LEVELS", "\n".join(_levels(root)))
    body = body.replace("VALUES", "\n".join(_values(root)))
    body = body.replace("FUNCTION", function_name(root.program)).replace("PROGRAM", root.program)
    return made_by(root.program, "bash") + body


def _levels(root: Page) -> Iterator[str]:
    for page in root.walk():
        options = page.options
        yield f"        '{page.path}')"
        yield f"            options='{_listed(options)}'"
        yield f"            valued='{_listed(option for option in options if option.value)}'"
        yield f"            again='{_listed(option for option in options if option.is_repeatable)}'"
        yield f"            before='{_listed(page.shared)}'"
        names = "".join(f" {inner.words[-1]}" for inner in page.commands)
        yield f"            commands='{names and names + ' '}'"
        yield "            ;;"


def _listed(options: Iterable[Parameter]) -> str:
    """Return the spellings of options, with a space around each."""
    words = [spelling for option in options for spelling in reversed(option.spellings)]
    return f" {' '.join(words)} " if words else ""


def _values(root: Page) -> Iterator[str]:
    for (choices, takes_files), places in outcomes(root).items():
        patterns = " | ".join(f"'{path}:{option}'" for path, option in places)
        yield f"        {patterns})"
        yield f"            words='{' '.join(choices)}' files={'1' if takes_files else chr(39) * 2}"
        yield "            ;;"
