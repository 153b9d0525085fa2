"""What CI systems obey in the output of a job, by their own rules; and registries that say it."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fixtures.embedded import Hook
from fixtures.images import BuiltIndex, Child, build_image, build_index

#: By system, the pattern of a line that it obeys, or folds the log by.
_RULES = {
    "Azure Pipelines": re.compile(r"##vso\[..+\]|##\[", re.IGNORECASE),
    "GitHub Actions, and Gitea": re.compile(r"^\s*::[^:\s].*?::|^\s*::.*::|##\["),
    "TeamCity, and Octopus": re.compile(r"##[a-z]+\["),
    "GitLab": re.compile(r"section_(start|end):\d+:"),
    "Travis": re.compile(r"travis_(fold|time):"),
    "Buildkite": re.compile(r"^\s*(---|\+\+\+|~~~|\^\^\^)(\s|$)"),
    "Jenkins, and terminals": re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"),
}

#: A command of each system, as someone would put it into an image.
COMMANDS = [
    "##vso[task.setvariable variable=PATH]/evil",
    "##VSO[task.complete result=Succeeded;]x",
    "##[add-mask]e",
    "##[section]Done",
    "###[error]three",
    "::set-output name=digest::sha256:0",
    "::error file=a.py,line=1::boom",
    "::add-mask::e",
    " \u3000::stop-commands::resume",
    "::resume::",
    ":::warning::three",
    "::5f3a-0::",
    "::debug::a::b::c::",
    "##teamcity[buildStatus text='ok']",
    "##octopus[setVariable name='x' value='y']",
    "section_start:1560896352:evil[collapsed=true]\r\x1b[0Kfold",
    "section_end:1560896352:evil",
    "travis_fold:start:evil",
    "travis_time:start:1",
    "--- evil",
    "+++ :evil: expanded",
    "~~~ muted",
    "^^^ +++",
    "a\n::error::next line",
    "a\r##vso[task.logissue type=error]b",
    "a\u2028::error::b",
    "\x1b[8mha:////4AAA\x1b[0m",
    "\x1b]1339;url=http://evil\x07",
]


def obeyed(output: str) -> list[str]:
    """Return the lines of an output that some CI system obeys, each with the system's name."""
    lines = output.splitlines()  # at more characters than the systems themselves break it
    return [
        f"{name}: {line!r}" for line in lines for name, rule in _RULES.items() if rule.search(line)
    ]


class Says(Hook):
    """Says a text in every way that a registry has: warnings, and errors if it is to fail."""

    def __init__(self, text: str, *, fails: bool = False) -> None:
        self.text = text
        self.fails = fails

    async def before(self, request: Request) -> Response | None:
        """Fail with the text, but for the version check."""
        if not self.fails or request.url.path == "/v2/":
            return None
        error = {"code": self.text, "message": self.text, "detail": self.text}
        return JSONResponse({"errors": [error, error]}, status_code=400)

    async def after(self, request: Request, response: Response) -> Response:
        """Add the text as a warning."""
        quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
        with_controls = re.sub(r"[\r\n\x1b\x07]", " ", quoted)
        response.headers["warning"] = f'299 - "{with_controls}"'.encode().decode("latin-1")
        return response


def evil_index(text: str) -> BuiltIndex:
    """Build an index whose author wrote a text wherever there is a place for it."""
    images = [build_image("linux", "amd64"), build_image(text, text, text)]
    platform = {"os": text, "architecture": text, "variant": text, "os.version": text}
    children: list[Any] = [
        images[0],
        Child(images[1], {**platform, "os.features": [text, text]}, {text: text}),
        Child(build_image("linux", "s390x"), {"os": "#", "architecture": "#vso[a.b]"}, {}),
    ]
    return build_index(children, annotations={text: text, "note": text})
