"""The operator's processes: started behind the proxy, frozen, killed, by the pids that we keep."""

import itertools
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.presence import Life, Turn
from tests.support.localoperator import Installation, LocalOperator, OperatorError
from zaum_api import contract

ROOT: Final = Path(__file__).resolve().parents[2]
PROBE_SECONDS: Final = 5.0
FAILURES: Final = 3
SETTINGS: Final = {
    "ZAUM_RESYNC_SECONDS": "60",
    "ZAUM_CERTIFICATES": "External",
    "ZAUM_LOG_LEVEL": "INFO",
}


@dataclass
class Operator(LocalOperator):
    """One process; `number` sets its ports apart, `url` is the proxy."""

    number: int = 0
    url: str = ""

    @property
    def server(self) -> str:
        """The API server as this process reaches it."""
        return self.url

    def start(self) -> None:
        """Start the process and do not wait for anything."""
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "tests.chaos.launch", str(self.number)]
        environment = self._environment()
        environment["PYTHONPATH"] += f":{ROOT}"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd="/"
            )

    def well(self) -> bool:
        """Ask its health check, as the chart's liveness probe does."""
        url = f"http://127.0.0.1:{contract.OPERATOR_HEALTH_PORT + 10 * self.number}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def alive(self) -> bool:
        """Tell whether the process runs (frozen or not)."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Operators:
    """All of them: two that should always run, and at times one more. Keeps when which of them could act."""

    installation: Installation
    url: str
    run: list[Operator] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    """Processes that ended by themselves, or did not end when they were asked to."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    unwell: list[str] = field(default_factory=list)
    """Processes that their own health check ended."""
    _failures: dict[str, int] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def add(self) -> Operator:
        """Start one more."""
        number = next(self._numbers)
        # Linux hands out ephemeral ports above 32768: these are free as long as nobody here takes them.
        operator = Operator(self.installation, f"operator-{number}", settings=SETTINGS, number=number, url=self.url)
        operator.start()
        self.run.append(operator)
        self._turn(operator, Life.RUNS)
        return operator

    def kill(self, operator: Operator) -> None:
        """End one without a chance to tidy up."""
        self._asked.add(operator.name)
        self._turn(operator, Life.DEAD)
        operator.kill()
        self.run.remove(operator)

    def end(self, operator: Operator) -> float:
        """End one by SIGTERM; give the seconds that it took. One that does not obey is noted."""
        self._asked.add(operator.name)
        began = time.monotonic()
        self._turn(operator, Life.DEAD)
        self.run.remove(operator)
        try:
            operator.stop()
        except OperatorError as error:
            self.deaths.append(str(error))
        return time.monotonic() - began

    def freeze(self, operator: Operator) -> None:
        """Stop its clock."""
        self._turn(operator, Life.FROZEN)
        os.kill(operator.pid, signal.SIGSTOP)

    def thaw(self, operator: Operator) -> None:
        """Let it go on, if it still is there."""
        if operator.alive:
            os.kill(operator.pid, signal.SIGCONT)
            self._turn(operator, Life.RUNS)

    def refill(self, count: int) -> None:
        """Do what a Deployment does: have as many as asked for, and note those that ended by themselves."""
        for operator in [operator for operator in self.run if not operator.alive]:
            self.run.remove(operator)
            self._turn(operator, Life.DEAD)
            if operator.name not in self._asked:
                self.deaths.append(f"{operator.name} ended by itself:\n{operator.last_words()}")
        while len(self.run) < count:
            self.add()

    def probe(self) -> None:
        """Do what a kubelet does every ten seconds: end whoever says three times in a row that it is not well."""
        for operator in [operator for operator in self.run if operator.alive]:
            self._failures[operator.name] = 0 if operator.well() else self._failures.get(operator.name, 0) + 1
            if self._failures[operator.name] >= FAILURES:
                self.unwell.append(f"{operator.name} said that it is not well:\n{operator.last_words(3)}")
                self.kill(operator)

    def leader(self, holder: str) -> Operator | None:
        """Give the one of this identity; without one the first that runs."""
        named = [operator for operator in self.run if operator.name == holder]
        return next(iter(named or self.run), None)

    def kill_all(self) -> None:
        """End all."""
        for operator in list(self.run):
            self.kill(operator)

    def _turn(self, operator: Operator, life: Life) -> None:
        self.turns.append(Turn(time.monotonic(), operator.name, life))
