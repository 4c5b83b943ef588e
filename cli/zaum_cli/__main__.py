"""`zaum`, also as `kubectl zaum`. Exits 0, 1 where the command cannot do what was asked, 2 for wrong arguments."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zaum_cli import errors
from zaum_cli.core import spans

if TYPE_CHECKING:
    from zaum_cli.shell import cluster


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give the exit status."""
    options = _options().parse_args(arguments)
    # The client takes a second to import: not for whoever asks for help.
    from zaum_cli.shell import cluster  # noqa: PLC0415

    try:
        reached = cluster.Cluster(kubeconfig=options.kubeconfig, context=options.context)
        try:
            page = _run(reached, options)
        finally:
            reached.close()
    except errors.CommandError as error:
        sys.stderr.write(f"zaum: {error}\n")
        return 1
    sys.stdout.write(page)
    return 0


def _run(reached: "cluster.Cluster", asked: argparse.Namespace) -> str:
    from zaum_cli.shell import containing, suggest, usage, watching  # noqa: PLC0415

    match asked.command:
        case "suggest":
            return suggest.run(
                reached, suggest.Wish(asked.namespace, asked.policy, asked.since, asked.denied, asked.output)
            )
        case "usage":
            return usage.run(reached, usage.Wish(asked.namespace, asked.policy, asked.all_namespaces, asked.output))
        case "contain":
            return containing.contain(
                reached,
                containing.Containment(asked.namespace, asked.policy, asked.reason, asked.absent, asked.wait),
            )
        case "release":
            return containing.release(reached, containing.Freedom(asked.namespace, asked.incident, asked.reason))
        case "incidents":
            wish = containing.Listing(asked.namespace, asked.policy, asked.all_namespaces, asked.open, asked.output)
            return containing.listing(reached, wish)
        case "watch":
            times = 1 if asked.once else None
            return watching.run(
                reached,
                watching.Wish(asked.namespace, asked.policy, asked.all_namespaces, asked.every, times),
            )
        case other:
            raise AssertionError(f"no command {other}")


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
    for command in (suggest, usage, *_of_incidents(commands)):
        command.add_argument("--kubeconfig", help="path; KUBECONFIG or ~/.kube/config by default")
        command.add_argument("--context", help="of the kubeconfig; the current one by default")
    return parser


def _of_incidents(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> list[argparse.ArgumentParser]:
    contain = commands.add_parser(
        "contain",
        help="quarantine a policy at once",
        description="Make an Incident that quarantines a policy: its pods are cut off and ended, and none starts until"
        " the Incident is released. Where one stands already, it is named.",
    )
    contain.add_argument("policy", metavar="POLICY", help="name of the AgentPolicy")
    contain.add_argument("-n", "--namespace", help="its namespace; the context's by default")
    contain.add_argument("--reason", default="", help="why, in one line; it stands in the Incident for good")
    contain.add_argument("--absent", action="store_true", help="quarantine the name also where there is no such policy")
    contain.add_argument(
        "--wait",
        type=_seconds,
        nargs="?",
        const=60.0,
        metavar="SECONDS",
        help="wait until all is confirmed, 60 s by default; exits 1 when it is not",
    )
    release = commands.add_parser(
        "release",
        help="end a containment",
        description="Release an Incident, which needs the right to (the verb release on incidents). It is said once,"
        " under your name.",
    )
    release.add_argument("incident", metavar="INCIDENT", help="name of the Incident")
    release.add_argument("-n", "--namespace", help="its namespace; the context's by default")
    release.add_argument("--reason", required=True, help="why it may be released, in one line")
    listing = commands.add_parser(
        "incidents", help="print what is and was contained", description="Print Incidents, the open ones first."
    )
    listing.add_argument("policy", metavar="POLICY", nargs="?", help="about one AgentPolicy; all by default")
    listing.add_argument("-n", "--namespace", help="the context's by default")
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    listing.add_argument("--open", action="store_true", help="open ones alone")
    listing.add_argument("-o", "--output", choices=("table", "wide", "json"), default="table", help="table by default")
    watch = commands.add_parser(
        "watch",
        help="look on: usage, verdicts, ladder, Incidents",
        description="Write what policies spend, how far their watchdogs have gone and what Incidents are about, again"
        " and again until you stop it.",
    )
    watch.add_argument("policy", metavar="POLICY", nargs="?", help="name of one AgentPolicy; all by default")
    watch.add_argument("-n", "--namespace", help="the context's by default")
    watch.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    watch.add_argument("--every", type=_seconds, default=2.0, metavar="SECONDS", help="2 by default")
    watch.add_argument("--once", action="store_true", help="write one page")
    return [contain, release, listing, watch]


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: write seconds, from 0.1 to 3600")
    return found


def _span(text: str) -> int:
    try:
        return spans.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    script()
