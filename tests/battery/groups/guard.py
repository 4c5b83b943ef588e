"""Group 14: break the watchdog, by what the kernel offers one process against another, by its ports, by its work.

Pokes are made by one agent, each at a process of its own first. What is left is watched from the node.
"""

import ast
from pathlib import Path
from typing import Any, Final

from tests.battery.ends import Due, End
from tests.battery.groups.http import ROUTE
from tests.battery.wild import By, Deed, Scene
from zaum_api import contract

PROCESS, PORTS, WORK = "the watchdog's process", "the watchdog's ports", "the watchdog's work"
EVERYBODY: Final = "SIGKILL to all"
_ADDRESSES: Final = {
    contract.PROXY_PORT: ("127.0.0.1", "0.0.0.0"),
    contract.ROUTES_PORT: ("127.0.0.1", "0.0.0.0"),
    contract.PROBE_PORT: ("0.0.0.0", "::", "own"),
}


PORTS_OF: Final = tuple(_ADDRESSES)


def names() -> list[str]:
    """Read which pokes the red agent knows; its modules are at home in a pod only."""
    tree = ast.parse((Path(__file__).parents[1] / "red_pokes.py").read_text())
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "POKES"
    )
    return list(ast.literal_eval(ast.Tuple([key for key in table.keys if key], ast.Load())))  # type: ignore[union-attr]


def pokes() -> list[tuple[str, str, Deed]]:
    """Give the line, the variant and the deed of all that one agent tries at once; the last ends its own children."""
    found: list[tuple[str, str, Deed]] = [
        (PROCESS, name, {"id": f"p{number}", "kind": "poke", "what": name}) for number, name in enumerate(names())
    ]
    for port, places in _ADDRESSES.items():
        for place in places:
            for shared in (False, True):
                how = "SO_REUSEPORT" if shared else "SO_REUSEADDR"
                deed: dict[str, Any] = {"kind": "bind", "address": place, "port": port, "shared": shared}
                deed |= {"id": f"b{len(found)}", "at_once": True}
                found.append((PORTS, f"{place} {port}, {how}, from the start", deed))
    found.append((PROCESS, EVERYBODY, {"id": "all", "kind": "everybody"}))
    return found


def scenes() -> list[Scene]:
    """Give what is done to its work; it must answer its node all the while, and serve afterwards."""
    bound = Due(End.BOUND, 60.0)
    return [
        Scene(
            14, WORK, "starve its cpu", {"kind": "spin", "most": 64, "seconds": 12}, bound,
            agent={"resources": {"cpu": "500m", "memory": "384Mi"}}, by=By.ITSELF,
        ),
        Scene(
            14, WORK, "fill its memory by huge requests",
            {"kind": "huge", "most": 64, "size": 16, "seconds": 8, "route": ROUTE}, bound, by=By.ITSELF,
        ),
        Scene(
            14, WORK, "exhaust its connections", {"kind": "connections", "most": 4000, "seconds": 6}, bound,
            by=By.ITSELF,
        ),
    ]  # fmt: skip
