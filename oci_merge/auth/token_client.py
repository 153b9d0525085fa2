"""Asks token servers (Docker registry token authentication; OAuth 2, RFC 6749 §6)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from oci_merge._text import listed, printable, shown_host
from oci_merge.auth.challenge import Challenge, Scope, Token, parse_token
from oci_merge.credentials import Credential
from oci_merge.errors import OciMergeError
from oci_merge.http.message import Request, Response
from oci_merge.http.response_errors import Attempt, error_from
from oci_merge.http.retry import is_busy
from oci_merge.http.session import Session
from oci_merge.http.url_policy import check_token_server

_CLIENT_ID = "oci-merge"
#: How many repositories a message names.
_MOST_NAMES = 2
_ROLE = "the token server"
_MAX_TOKEN = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: How servers answer a POST that know no refresh tokens, or not this one.
_TAKES_NO_POST = frozenset({400, 401, 404, 405})


class TokenClient:
    """Asks token servers in one run, for all of its users.

    An identity token is sent by POST. Where the server does not take it and there is a password
    as well, the password is sent by GET, as it is where there is no identity token.

    Args:
        session: the way to the registry; token servers are asked through it too.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._without_post: set[Credential] = set()
        self._granting: set[str] = set()
        self._outages: dict[str, OciMergeError] = {}
        self._going_ahead: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def registry(self) -> str:
        """The registry's name."""
        return self._session.registry

    async def request(
        self,
        challenge: Challenge,
        scopes: Sequence[Scope],
        credential: Credential | None,
        *,
        is_presumed: bool = False,
    ) -> Token:
        """Ask for one token for all the scopes; a server may silently grant fewer.

        Args:
            challenge: the Bearer challenge.
            scopes: the scopes, of the repository that is pushed to first.
            credential: the user; None for an anonymous one.
            is_presumed: whether the challenge is still to come. The server is asked once then, with
                little patience, and no outage is remembered here.

        Raises:
            RegistryError: the token server refused.
            TransportError: it did not answer, its answer holds no token, or credentials may not
                go there.
        """
        realm = self._resolve(challenge.parameters["realm"])
        server = urlsplit(realm).netloc
        if server not in self._granting:
            # Until a token server has granted something, one request goes ahead: where the server
            # is down, the run makes the promised number of retries once, and not once for each
            # user and scope list.
            async with self._going_ahead[server]:
                if server not in self._granting:
                    return await self._request(realm, challenge, scopes, credential, is_presumed)
        return await self._request(realm, challenge, scopes, credential, is_presumed)

    async def check(self, challenge: Challenge, credential: Credential | None) -> bool:
        """Send a credential without a scope, as ``docker login`` does.

        Returns:
            Whether the server accepted it; False where its answer says neither yes nor no.

        Raises:
            AuthenticationError: the server refused it.
            TransportError: the server did not answer, or credentials may not go there.
        """
        realm = self._resolve(challenge.parameters["realm"])
        method, response = await self._ask(realm, challenge, (), credential)
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise error_from(response, self._attempt(realm, method, (), credential))
        return response.status == HTTPStatus.OK

    async def _request(
        self,
        realm: str,
        challenge: Challenge,
        scopes: Sequence[Scope],
        credential: Credential | None,
        is_presumed: bool,
    ) -> Token:
        """Ask a server, unless it has failed in this run: the retries were made by then."""
        server = urlsplit(realm).netloc
        if outage := self._outages.get(server):
            raise outage.with_traceback(None)
        try:
            method, response = await self._ask(
                realm, challenge, scopes, credential, is_presumed=is_presumed
            )
            if response.status == 200:
                token = parse_token(response.content, f"{_ROLE} {shown_host(realm)}")
        except OciMergeError as error:
            if not is_presumed:
                self._outages[server] = error
            raise
        if response.status != 200:
            refusal = error_from(response, self._attempt(realm, method, scopes, credential))
            if is_busy(response.status) and not is_presumed:
                self._outages[server] = refusal
            raise refusal
        self._granting.add(server)
        return token

    async def _ask(
        self,
        realm: str,
        challenge: Challenge,
        scopes: Sequence[Scope],
        credential: Credential | None,
        *,
        is_presumed: bool = False,
    ) -> tuple[str, Response]:
        """Return the method that was used last and the response to it."""
        send = self._send_once if is_presumed else self._session.send
        get = self._get(realm, challenge, scopes, credential)
        if not credential or not credential.identity_token or credential in self._without_post:
            return "GET", await send(get)
        response = await send(self._post(realm, challenge, scopes, credential))
        if response.status not in _TAKES_NO_POST or not credential.password:
            return "POST", response
        response = await send(get)
        if response.status == 200:
            self._without_post.add(credential)
        return "GET", response

    async def _send_once(self, request: Request) -> Response:
        patience = self._session.timings.brief
        return await self._session.send(replace(request, repeatable=False, patience=patience))

    def _post(
        self, realm: str, challenge: Challenge, scopes: Sequence[Scope], credential: Credential
    ) -> Request:
        """Exchange the identity token for a token; a redirect is not followed."""
        form = [
            ("grant_type", "refresh_token"),
            *_service(challenge),
            ("client_id", _CLIENT_ID),
            ("scope", " ".join(map(str, scopes))),
            ("refresh_token", credential.identity_token),
        ]
        content = urlencode(form).encode()
        return Request("POST", realm, _FORM, content, _MAX_TOKEN, no_redirect=True, role=_ROLE)

    def _get(
        self,
        realm: str,
        challenge: Challenge,
        scopes: Sequence[Scope],
        credential: Credential | None,
    ) -> Request:
        """Ask with the password, or anonymously; a redirect is checked like the realm."""
        login = credential if credential and credential.has_password else None
        query = [
            *_service(challenge),
            *(("scope", str(scope)) for scope in scopes),
            ("client_id", _CLIENT_ID),
        ]
        if login and login.username:
            query.append(("account", login.username))
        return Request(
            "GET",
            _with_query(realm, urlencode(query)),
            limit=_MAX_TOKEN,
            authorization=login.basic() if login else None,
            check_redirect=self._resolve,
            role=_ROLE,
        )

    def _resolve(self, realm: str) -> str:
        return check_token_server(realm, self._session.origin)

    def _attempt(
        self, realm: str, method: str, scopes: Sequence[Scope], credential: Credential | None
    ) -> Attempt:
        registry = self._session.registry
        names = [scope.resource.removeprefix("repository:") for scope in scopes]
        more = len(names) - _MOST_NAMES
        shown = [f"{registry}/{printable(name)}" for name in names[:_MOST_NAMES]]
        if more > 0:
            shown.append(f"{more} more")
        return Attempt(
            action="get a token for",
            subject=listed(shown) or registry,
            registry=registry,
            method=method,
            user=credential.user if credential else "an anonymous user",
            server=f"{_ROLE} {shown_host(realm)}",
            secrets=credential.secrets if credential else (),
        )


def _service(challenge: Challenge) -> list[tuple[str, str]]:
    """Return the parameter that says for whom the token is, where the challenge says it."""
    service = challenge.parameters.get("service")
    return [("service", service)] if service else []


def _with_query(url: str, query: str) -> str:
    """Append to a URL's query as text, since a client would encode what is there once more."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"
