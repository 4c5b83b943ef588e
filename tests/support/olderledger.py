"""Run a ledger that cannot read yet what policies say of breaches: `python olderledger.py python -m MODULE`."""

import runpy
import sys

from zaum_api.documents import ledger


def main() -> None:
    """Take its newest version away from this process, and run the module that the command names."""
    ledger.CONTAINED_VERSION = ledger.SYNC_VERSION + "-only"  # type: ignore[misc]
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
