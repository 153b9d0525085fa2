"""Looks up the credential of a repository in one file. Pure: the caller runs helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from oci_merge._text import listed, printable
from oci_merge.credentials.credential import Answer, Credential, Nothing
from oci_merge.credentials.documents import AuthFile, decode_entry
from oci_merge.credentials.keys import Place, find_key, find_near, place_of, server_keys

#: Called with a helper's name and a server; returns the credential, or None if it has none.
AskHelper = Callable[[str, str], Credential | None]
#: How many of a file's entries a message names at most.
_MOST_NAMED = 8


def look_up(
    file: AuthFile, place: Place, *, origin: str, ask: AskHelper, by_host: bool = False
) -> Answer:
    """Look up the credential of a repository.

    Args:
        file: the parsed file.
        place: the repository.
        origin: names the file in messages.
        ask: asks a credential helper.
        by_host: whether a key stands for its whole host, if no key has a path that fits.

    Returns:
        The credential, or ``Nothing`` with the reason.

    Raises:
        CredentialError: a helper failed, or the entry cannot be decoded.
    """
    own = _own_helper(file, place.registry)
    helper = (file.store or "") if own is None else own
    without = ""
    if helper:
        for server in server_keys(place.registry):
            found = ask(helper, server)
            if found is not None:
                return found
        without = f"its helper docker-credential-{printable(helper)} has no credential for it"
        # A helper in credHelpers decides alone for its registry. One in credsStore does not: an
        # entry in ``auths`` beside it was written on purpose, by hand or by another tool.
        if own:
            near = f"leaves {place.registry} to docker-credential-{printable(helper)}"
            return Nothing(without, is_there=True, near=near, is_entry=True)
    return _look_up_entry(file, place, origin, without, by_host)


def _own_helper(file: AuthFile, registry: str) -> str | None:
    """Return the helper that ``credHelpers`` names for a registry; empty if it names none for it.

    None if the registry is not in ``credHelpers``, so that ``credsStore`` counts.
    """
    helpers = file.helpers or {}
    key = find_key(helpers, Place(registry))
    return None if key is None else helpers[key]


def _look_up_entry(
    file: AuthFile, place: Place, origin: str, without: str, by_host: bool
) -> Answer:
    """Look up a repository in ``auths``; ``without`` says that the helper had no credential."""
    entries = file.auths or {}
    # An entry without a secret only marks what a helper holds, and must not hide a shorter key.
    full = {key: entry for key, entry in entries.items() if entry and entry.has_secret}
    key = find_key(full, place, by_host=by_host)
    if key is not None:
        return decode_entry(full[key], str(place_of(key)), origin=origin)
    empty = find_key(entries, place, by_host=by_host)
    if empty is not None:
        reason = f"its entry for {_named([empty])} has no secret"
        near = f"has an entry for {_named([empty])} without a secret"
    elif full:
        reason = f"it has entries only for {_named(full)}"
        other = find_near([*full, *(file.helpers or {})], place.registry)
        near = f"has an entry for {_named([other])}, {_none_for(other, place)}" if other else ""
    else:
        reason, near = "it has no entries", ""
    return Nothing(
        f"{without}, and {reason}" if without else reason,
        is_there=True,
        near=near,
        is_entry=empty is not None,
    )


def _none_for(key: str, place: Place) -> str:
    """Say that there is no entry for a place, as far as that tells it from the place of a key."""
    return f"none for {place if place_of(key).registry == place.registry else place.registry}"


def _named(keys: Iterable[str]) -> str:
    """Return what the keys name as a list in words, shortened if there are many."""
    names = list(dict.fromkeys(printable(str(place_of(key)), limit=80) for key in keys))
    more = len(names) - _MOST_NAMED
    return listed([*names[:_MOST_NAMED], f"{more} more"] if more > 0 else names)
