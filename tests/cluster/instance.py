"""Say which of the machine's local clusters is meant: the usual one, or the one beside it that ZAUM_INSTANCE names.

Each instance has namespaces, a cgroup, a run folder and stores of its own, so none sees another; inside its
namespaces every instance has the same addresses and ports. The built binaries are shared.
"""

import os
import re
from collections.abc import Mapping
from typing import Final

from tests.cluster import errors

VARIABLE: Final = "ZAUM_INSTANCE"
STORE_VARIABLE: Final = "ZAUM_STORE"
SHAPE: Final = re.compile(r"[a-z][a-z0-9]{0,11}")
"""Short, because the name becomes part of sockets' paths."""


def chosen(environment: Mapping[str, str]) -> str:
    """Return the instance's name, empty for the usual one; ClusterError for a name that cannot be one."""
    name = environment.get(VARIABLE, "")
    if name and not SHAPE.fullmatch(name):
        raise errors.ClusterError(f"{VARIABLE}={name!r} must be 1 to 12 lower-case letters and digits, a letter first")
    return name


NAME: Final = chosen(os.environ)
SUFFIX: Final = f"-{NAME}" if NAME else ""
"""What sets the names of this instance's things apart."""
STORED_AS_JSON: Final = os.environ.get(STORE_VARIABLE) == "json"
"""Whether the API server stores objects in a form that a test can read in the store itself; slower than its own."""
