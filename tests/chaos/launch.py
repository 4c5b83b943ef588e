"""Run the operator with health and metrics ports of its own, so that several share one machine: `… NUMBER`."""

import sys

from zaum_api import contract
from zaum_operator import __main__ as operator


def main() -> int:
    """Move the ports, and become the operator."""
    number = int(sys.argv[1])
    ports = vars(contract)
    for name in ("OPERATOR_HEALTH_PORT", "OPERATOR_METRICS_PORT"):
        ports[name] += 10 * number
    return operator.main()


if __name__ == "__main__":
    sys.exit(main())
