"""How CI systems put values into the texts of their files, before a shell sees them.

Each function knows the forms that our files use. A form or a name that it does not know is an
error, also where the system itself would leave it as it is or make it empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_AZURE = re.compile(r"\$\(([A-Za-z][\w.-]*)\)")
_AZURE_RUNTIME = re.compile(r"\$\[ dependencies\.(\w+)\.outputs\['(\w+\.\w+)'\] \]")
_CIRCLECI = re.compile(r"<<(.*?)>>")
_DOLLAR = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+)|(.?))", re.DOTALL)
_BRACED = re.compile(r"\$\$\{|\$\{([^}]*)\}")


def azure(text: str, variables: Mapping[str, str]) -> str:
    """Replace Azure's `$(name)`; what has other characters, such as `$(cat file)`, is the shell's.

    Names are compared without regard to case.
    """
    known = {name.lower(): value for name, value in variables.items()}
    return _AZURE.sub(lambda found: _known(known, found[1].lower(), found[0]), text)


def azure_runtime(text: str, outputs: Mapping[str, Mapping[str, str]]) -> str:
    """Return what a variable of a job is: a plain text, or an output of a job before it.

    Args:
        text: the variable's value in the file.
        outputs: the outputs of the jobs that are done, by `STEP.NAME`.
    """
    if "$[" not in text:
        return text
    found = _AZURE_RUNTIME.fullmatch(text)
    if found is None:
        raise LookupError(f"{text} is no form that is known here")
    return outputs[found[1]][found[2]]


def circleci(text: str, parameters: Mapping[str, str]) -> str:
    """Replace CircleCI's `<< parameters.name >>`."""
    known = {f"parameters.{name}": value for name, value in parameters.items()}
    return _CIRCLECI.sub(lambda found: _known(known, found[1].strip(), found[0]), text)


def buildkite(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` as `buildkite-agent pipeline upload` does; `$$` is `$`."""
    return _DOLLAR.sub(_dollars(variables), text)


cloud_build = buildkite
"""Cloud Build does the same, in `args`."""


def braced(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}` as Woodpecker and Drone do; `$NAME` is the shell's, `$${` is `${`."""
    return _BRACED.sub(
        lambda found: "${" if found[1] is None else _known(variables, found[1], found[0]), text
    )


def _dollars(variables: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def value(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return _known(variables, found[2] or found[3], found[0])

    return value


def _known(values: Mapping[str, str], name: str, form: str) -> str:
    if name not in values:
        raise LookupError(f"{form} is not known here")
    return values[name]
