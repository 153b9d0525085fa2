"""Asking a token server (Docker registry token authentication; OAuth 2, RFC 6749 §6)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from oci_merge._text import listed, printable, shown_host
from oci_merge.auth.challenge import Challenge, Scope, Token, parse_token
from oci_merge.credentials import Credential
from oci_merge.http.message import Request, Response
from oci_merge.http.response_errors import Attempt, error_from
from oci_merge.http.session import Session
from oci_merge.http.url_policy import check_token_server

_CLIENT_ID = "oci-merge"
_MAX_TOKEN = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: How servers that know no refresh tokens, or not this one, answer a POST.
_TAKES_NO_POST = frozenset({400, 401, 404, 405})


class TokenClient:
    """Asks token servers as one identity.

    An identity token is sent by POST. Where the server does not take it, and there is a password
    as well, that is sent by GET, as it is where there is nothing else.

    Args:
        session: the way to the registry; token servers are asked through it too.
        credential: who asks; None for an anonymous user.
    """

    def __init__(self, session: Session, credential: Credential | None) -> None:
        self._session = session
        self._credential = credential
        self._posts = bool(credential and credential.identity_token)

    @property
    def user(self) -> str:
        """Who asks, in words."""
        return self._credential.user if self._credential else "an anonymous user"

    async def request(self, challenge: Challenge, scopes: Sequence[Scope]) -> Token:
        """Ask for one token for all the scopes; a server may silently grant fewer.

        Raises:
            RegistryError: the token server refused.
            TransportError: it did not answer, its answer holds no token, or credentials may not
                go there.
        """
        realm = self._resolve(challenge.parameters["realm"])
        method = "POST" if self._posts else "GET"
        response = await (self._post if self._posts else self._get)(realm, challenge, scopes)
        if self._posts and response.status in _TAKES_NO_POST and self._password_is_left:
            method, response = "GET", await self._get(realm, challenge, scopes)
            self._posts = response.status != 200
        if response.status != 200:
            raise error_from(response, self._attempt(realm, method, scopes))
        return parse_token(response.content)

    @property
    def _password_is_left(self) -> bool:
        return bool(self._credential and self._credential.password)

    async def _post(self, realm: str, challenge: Challenge, scopes: Sequence[Scope]) -> Response:
        """Change the identity token for another; a redirect is not followed."""
        assert self._credential is not None
        form = [
            ("grant_type", "refresh_token"),
            *_service(challenge),
            ("client_id", _CLIENT_ID),
            ("scope", " ".join(map(str, scopes))),
            ("refresh_token", self._credential.identity_token),
        ]
        content = urlencode(form).encode()
        request = Request("POST", realm, _FORM, content, _MAX_TOKEN, no_redirect=True)
        return await self._session.send(request)

    async def _get(self, realm: str, challenge: Challenge, scopes: Sequence[Scope]) -> Response:
        """Ask with the password, or without a credential; a redirect is checked like the realm."""
        login = self._credential if self._credential and self._credential.has_password else None
        query = [
            *_service(challenge),
            *(("scope", str(scope)) for scope in scopes),
            ("client_id", _CLIENT_ID),
        ]
        if login and login.username:
            query.append(("account", login.username))
        return await self._session.send(
            Request(
                "GET",
                _with_query(realm, urlencode(query)),
                limit=_MAX_TOKEN,
                authorization=login.basic() if login else None,
                check_redirect=self._resolve,
            )
        )

    def _resolve(self, realm: str) -> str:
        return check_token_server(realm, self._session.origin)

    def _attempt(self, realm: str, method: str, scopes: Sequence[Scope]) -> Attempt:
        registry = self._session.registry
        names = [scope.resource.removeprefix("repository:") for scope in scopes]
        return Attempt(
            action="get a token for",
            subject=listed([f"{registry}/{printable(name)}" for name in names]),
            registry=self._session.registry,
            method=method,
            user=self.user,
            server=f"the token server {shown_host(realm)}",
            secrets=self._credential.secrets if self._credential else (),
        )


def _service(challenge: Challenge) -> list[tuple[str, str]]:
    """Return the parameter that says for whom the token is, where the challenge says it."""
    service = challenge.parameters.get("service")
    return [("service", service)] if service else []


def _with_query(url: str, query: str) -> str:
    """Append to a URL's query as text, since a client would encode what is there once more."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"
