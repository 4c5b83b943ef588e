"""The command line: python -m tests.cluster VERB."""

import argparse
import os
import sys

from tests.cluster import backend, build, cluster, errors, local, prerequisites, processes

COMMAND_VERBS = ("exec", "kubectl")


def parser() -> argparse.ArgumentParser:
    """Describe the verbs."""
    top = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="bring the cluster up; nothing to do when it is")
    up.add_argument(
        "--light", action="store_true", help="a control plane whose nodes KWOK plays; ZAUM_INSTANCE names it"
    )
    verbs.add_parser("down", help="remove the cluster's processes, mounts and namespaces")
    verbs.add_parser("status", help="say how the cluster is; exit 0 when it is up and healthy")
    verbs.add_parser("prerequisites", help="install or name what the machine lacks, and start nothing")
    verbs.add_parser("build", help="only build the binaries")
    path = verbs.add_parser("path", help="print where a built binary is")
    path.add_argument("name")
    restart = verbs.add_parser("restart", help="end one process of the local cluster and start it again")
    restart.add_argument("name")
    for verb in COMMAND_VERBS:
        command = verbs.add_parser(verb, help=f"{verb} -- ...: run it where the API server can be reached")
        command.add_argument("command", nargs=argparse.REMAINDER)
    return top


def status() -> int:
    """Print the processes of the local cluster and what is wrong, if anything."""
    current = cluster.current()
    found = current.problems()
    if current.name == backend.LOCAL:
        for record in processes.load(local.place().processes):
            state = f"{processes.resident_mib(record.pid):5.0f} MiB" if processes.is_running(record) else "dead"
            print(f"{record.name:<26} pid {record.pid:<8} {state}")
    for problem in found:
        print(problem)
    if not found:
        print("up")
    return 1 if found else 0


def execute(arguments: list[str]) -> int:
    """Become the command, inside the node's network namespace for the local cluster."""
    wanted = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not wanted:
        raise errors.ClusterError("name a command after --")
    current = cluster.current()
    command, environment = current.command(wanted), dict(current.environment())
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError as absent:
        raise errors.ClusterError(f"{command[0]} is not on the PATH") from absent


def run(arguments: argparse.Namespace) -> int:
    """Do what the verb says and return the exit status."""
    match arguments.verb:
        case "up" if arguments.light:
            cluster.up_light()
        case "up":
            cluster.current().up()
        case "down":
            cluster.current().down()
        case "status":
            return status()
        case "prerequisites":
            cluster.current().check()
        case "build":
            prerequisites.check_go()
            prerequisites.check_tools()
            build.build_all()
        case "path":
            print(build.binary(arguments.name))
        case "restart":
            cluster.restart(arguments.name)
        case "kubectl":
            rest = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
            return execute(["--", "kubectl", *rest])
        case _:
            return execute(arguments.command)
    return 0


def main() -> int:
    """Run, and print an expected failure without a traceback."""
    try:
        return run(parser().parse_args())
    except errors.ClusterError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again, it clears up first", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
