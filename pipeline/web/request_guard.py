"""Adds security headers to every answer, and refuses requests for other hosts and from other sites' pages.

An answer that brings one of these headers keeps its own.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.web.trusted import Trusted, host_of, one_spelling

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class RequestGuard:
    """The middleware that lets pages of other sites link to the page, but not read it, write to it or frame it.

    Another site could point its own name to this machine (DNS rebinding), and its page would then count as the server's
    own. Therefore each request has to name a host that is trusted, or the address that it arrived at.
    """

    def __init__(self, app: ASGIApp, trusted: Trusted) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it with status 400 (another host) or 403 (another site)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = host_of(headers.get("host", ""))
        if not host or host not in self._trusted.hosts | {_arrived_at(scope)}:
            said = f"{host or 'No host'} is no name of this server."
            reason = f"{said} Start it with --allow_host NAME if it shall be one."
            return JSONResponse({"error": reason}, status_code=400)
        if scope["method"] not in ("GET", "HEAD") and self._is_foreign(headers):
            return JSONResponse({"error": "This request comes from another site."}, status_code=403)
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        """Returns whether a browser says that another site's page sends the request. Other clients say nothing."""
        origin = headers.get("origin")
        if origin in self._trusted.origins:
            return False
        elsewhere = origin is not None and urlsplit(origin).netloc != headers.get("host")
        return elsewhere or headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def _arrived_at(scope: Scope) -> str:
    """Returns the address of this machine that the client connected to."""
    server = scope.get("server")
    return one_spelling(server[0]) if server else ""
