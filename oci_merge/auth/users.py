"""Who a run is at one registry: the user of each repository, with tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from oci_merge.auth.authorization import Authorization
from oci_merge.auth.challenge import Scope
from oci_merge.auth.logins import Login, Logins
from oci_merge.auth.token_cache import TokenCache
from oci_merge.auth.token_client import TokenClient
from oci_merge.errors import AuthenticationError, RegistryError
from oci_merge.http.session import Session


class Users:
    """The users of a run, by repository; they are looked for when the first of them is needed.

    Wherever scopes are given, those of the repository that a request is for come first.

    Args:
        session: the run's way to the registry; token servers are asked through it too.
        scopes: all that the run will do there.
        logins: what earlier runs have found out.
        warn: called with each warning about a login, once for each sentence.
    """

    def __init__(
        self,
        session: Session,
        scopes: Sequence[Scope],
        logins: Logins,
        warn: Callable[[str], object] | None,
    ) -> None:
        self._session = session
        self._run = tuple(scopes)
        self._logins = logins
        self._tell = warn
        self._told: set[str] = set()
        self._client = TokenClient(session)
        self._caches: dict[str, TokenCache] = {}
        self._anonymous = TokenCache(self._client, Login(None))
        # The repositories that are read without a login, since theirs was refused, and those that
        # may not be read in either way.
        self._read_anonymously: set[str] = set()
        self._refused_twice: set[str] = set()

    def known(self, scopes: Sequence[Scope]) -> TokenCache | None:
        """Return the tokens of the user of these scopes, or None if no user was looked for yet."""
        if self.is_anonymous(scopes):
            return self._anonymous
        return self._caches.get(repository_of(scopes))

    async def find(self, scopes: Sequence[Scope]) -> TokenCache:
        """Return the tokens of the user of these scopes; at first, all users of the run are found.

        A user who writes somewhere gets tokens that read everything, too, as mounts read the
        sources as that user.

        Raises:
            CredentialError: a source of credentials is there but cannot be read.
            DeadlineReachedError: a credential helper took longer than the run may.
        """
        if known := self.known(scopes):
            return known
        repository = repository_of(scopes)
        await self._find_all({repository, *(repository_of([scope]) for scope in self._run)})
        return self._caches[repository]

    async def _find_all(self, repositories: AbstractSet[str]) -> None:
        async with self._session.deadline.kept(lambda: f"a login for {self._session.registry}"):
            found = await self._logins.find(repositories)
        known = {cache.login: cache for cache in self._caches.values()}
        for name, login in found.items():
            if login not in known:
                own = [scope for scope in self._run if found.get(repository_of([scope])) is login]
                writes = any("push" in scope.actions for scope in own)
                known[login] = TokenCache(self._client, login, self._run if writes else own)
                if login.credential and login.credential.warning:
                    self._warn(login.credential.warning)
            self._caches.setdefault(name, known[login])

    def forget_tokens(self) -> None:
        """Forget every token and password that the registry has been sent."""
        for cache in {*self._caches.values(), self._anonymous}:
            cache.forget()

    def held(self, scopes: Sequence[Scope]) -> Authorization | None:
        """Return what is there to send with a request for these scopes."""
        cache = self.known(scopes)
        return cache.get(scopes) if cache else None

    def name(self, scopes: Sequence[Scope]) -> str:
        """Return who asks for these scopes, in words that are safe to print."""
        cache = self.known(scopes)
        return cache.login.user if cache else "an anonymous user"

    def is_anonymous(self, scopes: Sequence[Scope]) -> bool:
        """Say whether a login was given up for these scopes."""
        return repository_of(scopes) in self._read_anonymously and _only_read(scopes)

    def wants_login(self, repository: str) -> bool:
        """Say whether a repository's user was challenged, and no login of theirs was accepted."""
        cache = self._caches.get(repository)
        return cache is not None and not cache.login.is_accepted

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not appear in any output, should a server repeat it."""
        caches = dict.fromkeys((*self._caches.values(), self._anonymous))
        return tuple(secret for cache in caches for secret in cache.secrets)

    def give_up_login(self, scopes: Sequence[Scope]) -> bool:
        """Read a repository without its login from here on, if that may be done.

        A CI system's token was not chosen for this registry, so it must not keep a run from reading
        what everybody may read. What was chosen stays: to go on as somebody else would hide a
        mistake. Nothing is ever written without the login.

        Returns:
            Whether it may be done.
        """
        repository = repository_of(scopes)
        cache = self._caches.get(repository)
        credential = cache.login.credential if cache else None
        if not credential or not credential.is_ambient or not _only_read(scopes):
            return False
        if repository in self._read_anonymously | self._refused_twice:
            return False
        self._read_anonymously.add(repository)
        return True

    def note_anonymous(self, scopes: Sequence[Scope], *, is_refused: bool) -> None:
        """Note what came of reading a repository without its login."""
        repository = repository_of(scopes)
        if is_refused:
            self._read_anonymously.discard(repository)
            self._refused_twice.add(repository)
        else:
            user = self._caches[repository].login.user
            self._warn(f"{self._session.registry} refused {user}: images are read without a login")

    async def advice(self, scopes: Sequence[Scope], denial: RegistryError) -> str:
        """Say what logins there are beside the one that was denied; empty if none are known."""
        repository = repository_of(scopes)
        cache = self.known(scopes)
        credential = cache.login.credential if cache else None
        others = await self._logins.advise(repository, credential)
        if credential is not None:
            is_twice = _only_read(scopes) and repository in self._refused_twice
            twice = "without a login it is refused, too; " if is_twice else ""
            return f"{twice}{others or denial.hint}" if twice or others else ""
        if cache is None and await self._logins.may_find(repository):
            return (
                f"{self._session.registry} asked for no login, so none was sent; a proxy or a "
                "firewall before it may have refused this"
            )
        if isinstance(denial, AuthenticationError) and not others:
            return ""  # its own hint is about logging in
        return (
            f"log in with docker login {self._session.registry}, or set OCI_MERGE_USERNAME and "
            f"OCI_MERGE_PASSWORD{'; ' if others else ''}{others}"
        )

    def _warn(self, message: str) -> None:
        if self._tell is not None and message not in self._told:
            self._told.add(message)
            self._tell(message)


def repository_of(scopes: Sequence[Scope]) -> str:
    """Return the repository that a request with these scopes is for."""
    return scopes[0].resource.partition(":")[2]


def _only_read(scopes: Sequence[Scope]) -> bool:
    return all(scope.actions == ("pull",) for scope in scopes)
