"""An agent's loop in a process of its own: `python loop.py URL FOLDER`, as an agent would, with nothing but HTTP.

It thinks by calling a model with all that was said so far, acts with tools on the folder, and again. A client library
retries what it takes for lost, so some calls come more than once.
"""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TURNS = 40
TOOLS = (
    "ls -laR; cat *.py | wc",
    "git -c core.pager=cat log -3 --stat; git diff --stat",
    "grep -rn def . | head -40; grep -rn import . | sort | uniq -c | sort -rn | head",
    "{python} -m compileall -qf . ; {python} -m json.tool --help",
    "{python} -c 'import ast, pathlib; [ast.dump(ast.parse(p.read_text())) for p in pathlib.Path().rglob(\"*.py\")]'",
)


def think(url: str, said: list[dict[str, str]]) -> None:
    """Call the model; it must answer."""
    body = json.dumps({"model": "world-1", "max_tokens": 64, "messages": said}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        json.load(answer)


def act(script: str, at: Path) -> str:
    """Run a tool; give the end of what it printed."""
    command = ["/bin/sh", "-euc", script.replace("{python}", sys.executable)]
    return subprocess.run(command, cwd=at, check=True, capture_output=True, text=True).stdout[-400:]


def main(url: str, folder: str) -> None:
    """Take all turns."""
    said = [{"role": "user", "content": "Find out why the tests of this package fail, and mend them."}]
    for turn in range(TURNS):
        for _ in range(3 if turn % 10 == 9 else 1):
            think(url, said)
        result = act(TOOLS[turn % len(TOOLS)], Path(folder))
        said += [
            {"role": "assistant", "content": f"Step {turn}: read the file and run its tests."},
            {"role": "user", "content": f"Result {turn}: {result}"},
        ]
        time.sleep(1)  # A model takes its time to answer; this one is a fake.


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
