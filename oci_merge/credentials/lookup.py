"""Looking a repository up in one file. Pure: running a helper is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oci_merge._text import listed, printable
from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.documents import AuthFile, decode_entry
from oci_merge.credentials.keys import Place, find_key, place_of, server_keys

#: Asks the credential helper of a name about a server; None where it has nothing for it.
AskHelper = Callable[[str, str], Credential | None]
#: How many of a file's entries are named where none fits.
_MOST_NAMED = 8


def look_up(file: AuthFile, place: Place, *, origin: str, ask: AskHelper) -> Answer:
    """Look for the credential of a repository.

    A helper that is named for the registry decides alone. The helper of all registries goes before
    the entries, which are looked at where it has nothing: somebody wrote them in spite of it.

    Args:
        file: what the file holds.
        place: the repository.
        origin: the file, in words.
        ask: asks a helper.

    Raises:
        CredentialError: a helper failed, or the entry is broken.
    """
    own = _own_helper(file, place.registry)
    helper = (file.store or "") if own is None else own
    silence = ""
    if helper:
        for server in server_keys(place.registry):
            found = ask(helper, server)
            if found is not None:
                return found
        silence = f"its helper docker-credential-{printable(helper)} has nothing for it"
        if own:
            return Nothing(silence, is_there=True)
    return _look_at_entries(file, place, origin, silence)


def _own_helper(file: AuthFile, registry: str) -> str | None:
    helpers = file.helpers or {}
    key = find_key(helpers, Place(registry))
    return None if key is None else helpers[key]


def _look_at_entries(file: AuthFile, place: Place, origin: str, silence: str) -> Answer:
    entries = file.auths or {}
    full = {key: entry for key, entry in entries.items() if entry and entry.has_secret}
    key = find_key(full, place)
    if key is not None:
        return decode_entry(full[key], str(place_of(key)), origin=origin)
    empty = find_key(entries, place)
    if empty is not None:
        reason = f"its entry for {_named([empty])} holds no secret"
    elif full:
        reason = f"it has entries for {_named(full)} alone"
    else:
        reason = "it has no entries"
    return Nothing(f"{silence}, and {reason}" if silence else reason, is_there=True)


def _named(keys: Iterable[str]) -> str:
    names = list(dict.fromkeys(printable(str(place_of(key)), limit=80) for key in keys))
    more = len(names) - _MOST_NAMED
    return listed([*names[:_MOST_NAMED], f"{more} more"] if more > 0 else names)
