"""Read off the operator's own token whom the API server takes tokens for: its audiences."""

import base64
import binascii
import json
from pathlib import Path
from typing import Final

TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def audiences(file: Path = TOKEN_FILE) -> tuple[str, ...]:
    """Give the `aud` claim of the token in a file; nothing outside a pod. The signature is not looked at."""
    try:
        payload = file.read_text("ascii").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (OSError, IndexError, ValueError, binascii.Error):
        return ()
    named = claims.get("aud") if isinstance(claims, dict) else None
    return tuple(str(item) for item in named) if isinstance(named, list) else ((str(named),) if named else ())
