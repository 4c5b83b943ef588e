"""LiteLLM's proxy, from the package index by the hashes of requirements.txt, in an environment of its own."""

import contextlib
import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench import watchdog as proxies

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
START_SECONDS: Final = 120.0
KEY: Final = f"sk-{secrets.token_hex(32)}"
"""It starts with a good key only, and takes calls with it alone."""


def installed(cache: Path) -> Path:
    """Give the program; installed once for each version of the requirements, which takes minutes."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = cache / f"litellm-{key}"
    program, ready = folder / "bin" / "litellm", folder / ".ready"
    if not ready.exists():
        print(f"  installing LiteLLM into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", REQUIREMENTS], check=True)
        ready.touch()
    return program


def version() -> str:
    """Give what is pinned."""
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.split()[0].partition("==")[2] for line in lines if line.startswith("litellm=="))


@contextlib.contextmanager
def running(program: Path, folder: Path, *, model: str, base: str, ca: Path) -> Iterator[proxies.Proxy]:
    """Run it with its defaults and one worker, on the proxies' core; it counts tokens and cost in its memory.

    Its table of prices is the one in the package, and it reports to nobody: nothing of it leaves the machine.
    """
    config = folder / "litellm.json"  # JSON is YAML
    entry = {
        "model_name": model,
        "litellm_params": {
            "model": f"openai/{model}",
            "api_base": base,
            "api_key": KEY,
            "input_cost_per_token": 2e-6,
            "output_cost_per_token": 8e-6,
        },
    }
    config.write_text(json.dumps({"model_list": [entry]}))
    port = proxies.free_port()
    with (folder / "litellm.log").open("w") as out:
        process = proxies.start(
            [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"],
            proxies.PROXY_CORE,
            out=out.fileno(),
            environment={
                "LITELLM_MASTER_KEY": KEY,
                "SSL_CERT_FILE": str(ca),
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "DO_NOT_TRACK": "1",
            },
        )
        with proxies.ended(process):
            _await(port, process, folder)
            yield proxies.Proxy("LiteLLM", port, process.pid)


def _await(port: int, process: "subprocess.Popen[str]", folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/health/liveliness")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"LiteLLM did not start: {(folder / 'litellm.log').read_text()[-2000:]}")
