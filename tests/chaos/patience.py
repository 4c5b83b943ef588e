"""Patience with an API server that is away now and then."""

import time
from collections.abc import Callable
from typing import Any, Final

import urllib3

from tests.support.e2e.api import RefusedError

SECONDS: Final = 60.0


def insist(call: Callable[[], Any]) -> Any:
    """Do it, again and again while the API server is away; a refusal is final."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except RefusedError as error:
            if error.status < 429 or time.monotonic() > deadline:
                raise
        except (OSError, urllib3.exceptions.HTTPError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
