"""The command line: python -m tests.cluster.images VERB [NAME...]."""

import argparse
import sys

from tests.cluster import errors
from tests.cluster.images import builds, loading, recipes


def main() -> int:
    """Run, and print an expected failure without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.images", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in (("build", "build into the cache"), ("load", "build, and give them to the running cluster")):
        choice = verbs.add_parser(verb, help=text)
        choice.add_argument("names", nargs="*", metavar="NAME", help=", ".join(recipes.IMAGES))
    verbs.add_parser("clean", help="remove everything that builds keep in the cache")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "clean":
            builds.clean()
            return 0
        built = builds.build_images(arguments.names)
        print_table(built)
        if arguments.verb == "load":
            for name, reference in loading.load(built).items():
                print(f"{name:<12} {reference}")
    except errors.ClusterError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def print_table(built: list[builds.Built]) -> None:
    """Print the sizes, whole and without the base, and the time that each took."""
    print(f"{'image':<12} {'size':>9} {'own':>9}  built in")
    for each in built:
        took = f"{each.seconds:.1f} s" if each.seconds else "unchanged"
        print(f"{each.image.name:<12} {each.total_bytes / 1e6:>6.1f} MB {each.own_bytes / 1e6:>6.1f} MB  {took}")


if __name__ == "__main__":
    sys.exit(main())
