"""Requests that are read before they leave: by routes that meter models, or look for personal data.

It is heavy, and loaded with the first policy that needs it: see `routes.PARTS`.
"""

import dataclasses
from typing import TYPE_CHECKING

from zaum_api import contract, documents
from zaum_watchdog.core import refusals, routes
from zaum_watchdog.core.metering import endpoints, terms
from zaum_watchdog.shell import credentials, exchange, held, metered, parties, straight

if TYPE_CHECKING:
    from zaum_watchdog.shell import redacting


class Calls:
    """See the module; of the document in force."""

    def __init__(self) -> None:
        self._terms: dict[str, terms.Terms] = {}

    def adopt(self, config: documents.WatchdogConfig) -> None:
        """Follow a document."""
        self._terms = terms.table(config)

    def terms(self, route: str) -> terms.Terms | None:
        """Give what is metered on a route; None where nothing is."""
        return self._terms.get(route)

    def made(
        self,
        agent: parties.Agent,
        shared: parties.Shared,
        asked: routes.Asked,
        credential: credentials.Credential | None,
        redacted: "redacting.Redacted | None",
    ) -> parties.Going | refusals.Refusal:
        """Decide whether the request has to be read before it leaves."""
        at = self._terms.get(asked.route.name)
        endpoint = terms.begin(at, asked) if at is not None else endpoints.Other.FREE
        if isinstance(endpoint, refusals.Refusal):
            return endpoint
        if isinstance(endpoint, endpoints.Endpoint) and at is not None:
            if redacted is None and straight.fits(asked, at):
                return straight.Straight(agent, shared, asked, credential, straight.Kind(endpoint, at))
            return held.Held(agent, shared, asked, credential, redacted, call=metered.Call(endpoint, at))
        if endpoint is endpoints.Other.UNPRICED and asked.would_deny is None:
            asked = dataclasses.replace(asked, would_deny=contract.Rule.UNPRICED)
        if redacted is None or not asked.request.length or not redacted.reads_requests:
            return exchange.Exchange(agent, shared, asked, credential, redacted)
        return held.coded(asked) or held.Held(agent, shared, asked, credential, redacted, call=None)
