#!/usr/bin/env python3
"""Types what README.md tells people to type, in its sections 'Three minutes by hand', 'The day of the incident' and
'Your own PostgreSQL', and looks at what comes out.

Usage: readme_test.py REINSTATED REINSTATE THROWAWAY_POSTGRES
"""

import contextlib
import json
import os
import pathlib
import pty
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BY_HAND = "## Three minutes by hand"
INCIDENT = "## The day of the incident"
POSTGRES = "## Your own PostgreSQL"
# What ends with another exit code than 0, as it is meant to: a list that needs a person.
EXIT_CODES = {"reinstate batch resolve": 3}
PATIENCE_SECONDS = 30
# What the table of the incident tells to type while a batch is watched, in its order: how that begins, what is answered
# on a terminal (None where nothing is asked), and what the batch becomes.
CONTROLS = (
    ("reinstate batch prioritize", None, lambda batch: counts(batch) == {"succeeded": 1, "queued": 2}),
    ("reinstate batch pause", None, lambda batch: batch["state"] == "BATCH_STATE_PAUSED"),
    ("reinstate batch resume", None, lambda batch: batch["state"] == "BATCH_STATE_RUNNING"),
    ("reinstate batch add", "1", lambda batch: counts(batch) == {"succeeded": 1, "queued": 3}),
    ("reinstate batch cancel", "4", lambda batch: counts(batch) == {"succeeded": 1, "cancelled": 3}),
    ("reinstate batch retry", None, lambda batch: counts(batch) == {"succeeded": 1, "queued": 3}),
    ("reinstate store throttle", None, lambda batch: counts(batch) == {"succeeded": 1, "queued": 3}),
    ("reinstate store throttle", None, lambda batch: counts(batch) == {"succeeded": 4}),
    ("reinstate batch undo", "4", lambda batch: counts(batch) == {"undone": 4}),
)
DAEMON, CLI, THROWAWAY_POSTGRES = (pathlib.Path(path).resolve() for path in sys.argv[1:4])


def blocks(title):
    """The indented blocks of a section, in order."""
    section = README.read_text(encoding="utf-8").split(title)[1].split("\n## ")[0]
    paragraphs = re.split(r"\n\n(?=\S)|(?<=\S)\n\n(?=    )", section)
    return [textwrap.dedent(block).strip() for block in paragraphs if block.startswith("    ")]


def commands(block):
    """The commands of a block, some of which go over several lines."""
    command = ""
    for line in block.splitlines():
        command += line
        if command.count("'") % 2 == 0 and not command.endswith("\\"):
            yield command
            command = ""
        else:
            command += "\n"


@contextlib.contextmanager
def stdin_of(answers, on_terminal):
    """A standard input with this text in it: a terminal with a line typed by a person, or else a file."""
    if on_terminal is None:
        with tempfile.TemporaryFile() as file:
            file.write(answers.encode())
            file.seek(0)
            yield file
        return
    screen, terminal = pty.openpty()
    try:
        os.write(screen, (on_terminal + "\n").encode())
        yield terminal
    finally:
        os.close(screen)
        os.close(terminal)


def counts(batch):
    """The numbers of a batch's customers by state."""
    return {state: int(count) for state, count in batch["lines"].items() if state != "total" and int(count) > 0}


def table_commands(title):
    """What the tables of a section tell to type: the first column of each row."""
    section = README.read_text(encoding="utf-8").split(title)[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]*)` \|", section, re.MULTILINE)


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Tour:
    """Runs the commands one after the other in a shell of its own each, against one daemon."""

    def __init__(self, folder, environment=None):
        self._folder = pathlib.Path(folder)
        self._address = free_address()
        self._environment = {**os.environ, **(environment or {}), "REINSTATE_ADDRESS": self._address, "NO_COLOR": "1",
                             "PATH": f"{CLI.parent}:{os.environ['PATH']}"}
        self._daemon = None
        self._restore = ""
        self._batch = ""
        self.output = {}  # by command

    def type(self, command, answers=None, on_terminal=None):
        """Runs a command. `answers` is its input, and `on_terminal` a line that a person types where it asks."""
        if command.startswith(("deploy/build", "export PATH", "kill ")):
            return  # The programs are built already, and found by our own PATH; stop_daemon kills.
        if command.startswith("reinstated "):
            self.start_daemon()
            return
        # In a session of its own psql has no terminal to ask for a password, and takes it from its input.
        text = command.replace("RESTORE", self._restore).replace("BATCH", self._batch)
        with stdin_of(answers or "", on_terminal) as stdin:
            done = subprocess.run(text, shell=True, env=self._environment, check=False, stdin=stdin,
                                  capture_output=True, text=True, timeout=60, cwd=README.parent, start_new_session=True)
        expected = next((code for begin, code in EXIT_CODES.items() if command.startswith(begin)), 0)
        if done.returncode != expected:
            raise AssertionError(f"`{command}` exited with {done.returncode}: {done.stderr}")
        if on_terminal is not None and "Type the number of customers to go on" not in done.stderr:
            raise AssertionError(f"`{command}` has not asked: {done.stderr}")
        self.output[command] = done.stdout
        if command == "reinstate restore list":
            self._restore = next(word for word in done.stdout.split() if word.startswith("rst-"))
        if command == "reinstate batch list":
            self._batch = next(word for word in done.stdout.split() if word.startswith("bat-"))

    def begin(self, command):
        """Starts a command that goes on while others are typed."""
        return subprocess.Popen("exec " + command.replace("BATCH", self._batch), shell=True, env=self._environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                start_new_session=True)

    def json(self, command):
        """What a command writes for programs."""
        done = subprocess.run(command.replace("BATCH", self._batch) + " -o json", shell=True, env=self._environment,
                              check=True, capture_output=True, text=True, timeout=60, start_new_session=True)
        return json.loads(done.stdout)

    def await_batch(self, holds):
        """The batch, once it is as it has to become."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            batch = self.json("reinstate batch get BATCH")
            if holds(batch):
                return batch
            if time.monotonic() > deadline:
                raise AssertionError(f"this did not come about: {batch}")
            time.sleep(0.05)

    def write_config(self, text):
        """As reinstated.toml, which the daemon is started with from now on."""
        self._folder.joinpath("reinstated.toml").write_text(text, encoding="utf-8")

    def start_daemon(self):
        config = self._folder / "reinstated.toml"
        served = self._folder / "data" / "reinstated.address"
        served.unlink(missing_ok=True)
        self._daemon = subprocess.Popen([DAEMON, "--data", self._folder / "data", "--listen", self._address] +
                                        (["--config", config] if config.exists() else []), env=self._environment)
        while not served.exists():
            if self._daemon.poll() is not None:
                raise AssertionError(f"the daemon exited with {self._daemon.returncode}")

    def stop_daemon(self):
        """SIGTERM, as `kill %1` sends it; returns the exit code."""
        self._daemon.terminate()
        return self._daemon.wait(timeout=60)


class ThrowawayPostgres:
    """A server that is there as long as this is, found by the environment as one of the machine's own would be."""

    def __enter__(self):
        self._process = subprocess.Popen([THROWAWAY_POSTGRES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self._process.stdout.readline().strip()
        if not port:
            raise AssertionError("no PostgreSQL server")
        return {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "postgres", "PGPASSWORD": "a secret"}

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)


class ReadmeTest(unittest.TestCase):
    def test_the_tour_by_hand_works_as_written(self):
        with tempfile.TemporaryDirectory() as folder:
            tour = Tour(folder)
            for block in blocks(BY_HAND):
                for command in commands(block):
                    tour.type(command)
            self.assertEqual(tour.stop_daemon(), 0)
        output = tour.output
        self.assertIn("acme", output["reinstate tenant list --lost --at latest"])
        self.assertNotIn("zeta", output["reinstate tenant list --lost --at latest"])
        self.assertIn("acme", output["reinstate tenant find 'ACME corp.'"])
        issues = output["reinstate record scan acme issue"]
        self.assertIn("The anvil is late", issues)
        self.assertIn("The rocket is early", issues)
        self.assertIn("Written after the snapshot", output["reinstate record scan zeta issue"])
        self.assertIn("wrong customer deleted", output["reinstate restore certificate RESTORE"])

    def test_the_day_of_the_incident_goes_as_written(self):
        with tempfile.TemporaryDirectory() as folder:
            tour = Tour(folder)
            tour.write_config("[workers]\nrestores = 1\n")  # one after the other, so that who is first ends first
            for block in blocks(INCIDENT):
                for command in commands(block.replace("/tmp/", f"{folder}/")):
                    tour.type(command)
            for customer in ("101", "102", "103"):
                tour.type(f"reinstate record scan {customer} issue")
            self.control_a_batch(tour, folder)
            self.assertEqual(tour.stop_daemon(), 0)
            summary = pathlib.Path(folder, "summary.csv").read_text(encoding="utf-8").splitlines()
        for customer in ("101", "102", "103"):
            self.assertIn("The anvil is late", tour.output[f"reinstate record scan {customer} issue"])
        self.assertEqual(len(summary), 1 + 3)
        self.assertTrue(all(",succeeded," in line for line in summary[1:]), summary)

    def control_a_batch(self, tour, folder):
        """Types the commands of the table, in its order, while a batch of three customers goes on, which the first one
        watches. After each the batch must become what its row says."""
        watch, *typed = table_commands(INCIDENT)
        self.assertEqual(watch, "reinstate batch watch BATCH")
        self.assertEqual(len(typed), len(CONTROLS))
        later = pathlib.Path(folder, "later.csv")
        later.write_text("id\n104\n", encoding="utf-8")
        # After the first customer it owes minutes.
        tour.type("reinstate store throttle main --bytes-per-second 1")
        for customer in ("101", "102", "103", "104"):
            tour.type(f"reinstate record delete-tenant {customer} --confirm {customer}")
        tour.type(f"reinstate batch create -f {folder}/resolved.csv --at latest --accept-shrinking --confirm 3")
        tour.type("reinstate batch list")
        tour.await_batch(lambda batch: counts(batch) == {"succeeded": 1, "queued": 2})
        watching = tour.begin(watch)
        try:
            for command, (begin, answer, holds) in zip(typed, CONTROLS):
                self.assertTrue(command.startswith(begin), command)
                tour.type(command.replace("FILE", str(later)), on_terminal=answer)
                tour.await_batch(holds)
            watched, _ = watching.communicate(timeout=PATIENCE_SECONDS)
        finally:
            watching.kill()
            watching.wait()
        self.assertEqual(watching.returncode, 3)  # It has seen the batch end as cancelled.
        self.assertIn("cancelled", watched)
        ended = {line["tenant"]["tenant"]: line["endTime"].rstrip("Z")
                 for line in tour.json("reinstate batch get BATCH --lines")}
        self.assertLess(ended["103"], ended["102"])

    def test_the_tour_of_postgresql_works_as_written(self):
        with tempfile.TemporaryDirectory() as folder, ThrowawayPostgres() as environment:
            tour = Tour(folder, environment)
            config = ""
            for block in blocks(POSTGRES):
                if block.startswith("data = "):
                    continue  # A folder of our own takes its place.
                if block.startswith("[[store]]"):
                    config = block + "\n"
                    tour.write_config(config)
                    continue
                for command in commands(block):
                    tour.type(command, answers="a secret\na secret\n")
                    if command == "reinstate store discover --config":
                        # "put them below those above, and start the daemon again"
                        self.assertEqual(tour.stop_daemon(), 0)
                        tour.write_config(config + tour.output[command])
                        tour.start_daemon()
            tour.type("psql app -Atc 'SELECT site_id, count(DISTINCT i.id), count(*) FROM issues i "
                      "JOIN comments c ON c.issue_id = i.id GROUP BY 1 ORDER BY 1'")
            self.assertEqual(tour.stop_daemon(), 0)
        output = tour.output
        self.assertIn("Acme Corp", output["reinstate tenant list --lost --at latest"])
        self.assertNotIn("Zeta", output["reinstate tenant list --lost --at latest"])
        self.assertIn('tenant_table = "sites"', output["reinstate store discover --config"])
        rows = next(text for command, text in output.items() if command.startswith("psql app -Atc"))
        self.assertEqual(rows, "1|500|2500\n2|500|2500\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
