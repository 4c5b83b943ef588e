"""Healthy agents survive: `python -m tests.healthy [--sample]`, on the cluster that is up.

For five minutes others take the node's cpu; meanwhile gateway and ledger are restarted, by other pods and by kill -9,
and the API server is away for two minutes. Nobody may be killed for it, and no Incident made. Afterwards the same eyes
look at an agent that is not healthy: it must be killed, with an Incident. Exit code 1 where anything is otherwise.
"""

import argparse
import os
import sys
import time

from tests.cluster import cluster
from tests.cluster.images import loading
from tests.healthy import judge, reading, sick
from tests.healthy import run as running
from tests.support.e2e import install, seasons
from tests.support.e2e.api import Api


def main() -> int:
    """Install the chart unless told that it is there, run, judge, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.healthy", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="20 s instead of 5 minutes")
    plan = running.SAMPLE if parser.parse_args().sample else running.FULL
    if os.environ.get("CLUSTER", "local") != "local":
        print("healthy: needs the local cluster, whose API server it stops", file=sys.stderr)
        return 2
    api, images = Api(), loading.image_refs()
    if os.environ.get(install.INSTALLED):
        install.found(api)
    else:
        install.install(api, images)
    seasons.wait(api)
    began, say = time.monotonic(), running.teller()
    authority = (cluster.world_state() / "ca.crt").read_text()
    with running.place(api, images["demo-agent"], authority, say) as made:
        seen = running.run(made, plan)
        near = reading.near(api, made.agents.namespace)
        faults = [*judge.faults(seen), *sick.faults(made)]
    for line in faults:
        say(f"FAULT: {line}")
    for line in (*judge.failures(seen), *(f"{count} failed: {name}" for name, count in judge.failed(seen).items())):
        say(line)
    word = "ok" if not faults else f"{len(faults)} FAULTS"
    done = sum(deed.ok for agent in seen.agents for deed in agent.deeds)
    print(
        f"healthy: {word} {time.monotonic() - began:.0f} s {judge.kills(seen)} kills {len(seen.incidents)} incidents, "
        f"cpu {seen.busy:.0%} busy, {len(seen.agents)} agents, {done} deeds, "
        f"{sum(judge.failed(seen).values())} failed meanwhile, {near} probes failed without consequence"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
