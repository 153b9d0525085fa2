"""Begins to connect to the registries that the command line names, before modules are loaded."""

from __future__ import annotations

# Not typing's or collections': what answers --help shall load nothing for this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The options whose values name images, without their dashes.
_IMAGES = frozenset({"source", "source-repository", "t", "target", "template"})
#: The commands whose argument names an image in a registry.
_OF_AN_IMAGE = frozenset({"annotate", "inspect", "remove"})
_HELP = frozenset({"-h", "--help", "-help", "help"})
_PLAIN_HTTP = frozenset({"--plain-http", "-plain-http"})
#: How digests, and the paths of files and folders, begin.
_NO_IMAGE = ("sha256:", "sha512:", ".", "/", "~")
#: More registries than a run usually has would be connections that few runs use.
_MOST = 4


def connect_to_registries(arguments: Sequence[str]) -> None:
    """Begin to connect to the registries of the images that a command line names.

    The command line is not checked yet, so what is not understood is left out: the command says
    what is wrong, and connects by itself.

    Args:
        arguments: the arguments of the program.
    """
    if not _HELP.isdisjoint(arguments):
        return
    plain_http = not _PLAIN_HTTP.isdisjoint(arguments)
    registries: dict[str, str] = {}
    for image in _images(arguments):
        # A word without a slash may be an image of Docker Hub, but also a file or a mistake.
        if "/" in image and not image.startswith(_NO_IMAGE):
            registries.setdefault(image.partition("/")[0], image)
    if registries:
        from oci_merge import connect_early

        for image in list(registries.values())[:_MOST]:
            connect_early(image, plain_http=plain_http)


def _images(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the values of options that name images, and the argument of a command for one."""
    is_expected = False
    option = ""  # the one before, whose value this may be
    for word in arguments:
        if word.startswith("-"):
            option, equals, value = word.partition("=")
            if equals:
                if option.lstrip("-") in _IMAGES:
                    yield value
                option = ""
        elif option:
            if option.lstrip("-") in _IMAGES:
                yield word
            option = ""
        elif is_expected:
            yield word
            is_expected = False
        else:
            is_expected = word in _OF_AN_IMAGE
