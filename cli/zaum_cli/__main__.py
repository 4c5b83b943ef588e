"""`zaum`, also as `kubectl zaum`. Exits 0, 1 where the command cannot do what was asked, 2 for wrong arguments."""

import argparse
import sys
from collections.abc import Sequence

from zaum_cli import errors
from zaum_cli.core import spans


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit status."""
    options = _options().parse_args(arguments)
    # The client takes a second to import: not for whoever asks for help.
    from zaum_cli.shell import cluster, suggest, usage  # noqa: PLC0415

    try:
        reached = cluster.Cluster(kubeconfig=options.kubeconfig, context=options.context)
        try:
            if options.command == "usage":
                spent = usage.Wish(options.namespace, options.policy, options.all_namespaces, options.output)
                page = usage.run(reached, spent)
            else:
                wish = suggest.Wish(options.namespace, options.policy, options.since, options.denied, options.output)
                page = suggest.run(reached, wish)
        finally:
            reached.close()
    except errors.CommandError as error:
        sys.stderr.write(f"zaum: {error}\n")
        return 1
    sys.stdout.write(page)
    return 0


def script() -> None:
    """Run as the installed program."""
    sys.exit(main())


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zaum", description="For people who write and run AgentPolicies.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    suggest = commands.add_parser(
        "suggest",
        help="print the egress section that a policy's traffic needs",
        description="Print the smallest egress section that covers what the watchdogs of a policy's pods have logged.",
    )
    suggest.add_argument("policy", metavar="POLICY", help="name of the AgentPolicy")
    suggest.add_argument("-n", "--namespace", help="its namespace; the context's by default")
    suggest.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="yaml by default")
    suggest.add_argument("--since", type=_span, help="look no further back: 30m, 6h, 2d; all of the logs by default")
    suggest.add_argument("--denied", action="store_true", help="also name what was denied for want of an entry")
    usage = commands.add_parser(
        "usage",
        help="print what policies have spent",
        description="Print what policies have spent of their limits, as their status says it: tokens and cost of the"
        " day in UTC, bytes of the last hour; requests since the watchdogs' start.",
    )
    usage.add_argument("policy", metavar="POLICY", nargs="?", help="name of one AgentPolicy; all by default")
    usage.add_argument("-n", "--namespace", help="the context's by default")
    usage.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    usage.add_argument("-o", "--output", choices=("table", "json"), default="table", help="table by default")
    for command in (suggest, usage):
        command.add_argument("--kubeconfig", help="path; KUBECONFIG or ~/.kube/config by default")
        command.add_argument("--context", help="of the kubeconfig; the current one by default")
    return parser


def _span(text: str) -> int:
    try:
        return spans.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    script()
