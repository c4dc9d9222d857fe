#!/usr/bin/env python3
"""Types what README.md tells people to type, in its section 'Three minutes by hand', and looks at what comes out.

Usage: readme_test.py REINSTATED REINSTATE
"""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
SECTION = "## Three minutes by hand"
DAEMON, CLI = (pathlib.Path(path).resolve() for path in sys.argv[1:3])


def commands():
    """The indented lines of the section, in order."""
    section = README.read_text(encoding="utf-8").split(SECTION)[1].split("\n## ")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Tour:
    """Runs the commands one after the other in a shell of its own each, against one daemon."""

    def __init__(self, folder):
        self._data = folder + "/data"
        self._address = free_address()
        self._environment = {**os.environ, "REINSTATE_ADDRESS": self._address, "NO_COLOR": "1",
                             "PATH": f"{CLI.parent}:{os.environ['PATH']}"}
        self._daemon = None
        self._restore = ""
        self.output = {}  # by command

    def type(self, command):
        if command.startswith(("deploy/build", "export PATH")):
            return  # The programs are built already, and found by our own PATH.
        if command.startswith("reinstated "):
            self._start_daemon()
            return
        done = subprocess.run(command.replace("RESTORE", self._restore), shell=True, env=self._environment, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"`{command}` exited with {done.returncode}: {done.stderr}")
        self.output[command] = done.stdout
        if command == "reinstate restore list":
            self._restore = next(word for word in done.stdout.split() if word.startswith("rst-"))

    def _start_daemon(self):
        self._daemon = subprocess.Popen([DAEMON, "--data", self._data, "--listen", self._address])
        served = pathlib.Path(self._data, "reinstated.address")
        while not served.exists():
            if self._daemon.poll() is not None:
                raise AssertionError(f"the daemon exited with {self._daemon.returncode}")

    def stop_daemon(self):
        """SIGTERM, as `kill %1` sends it; returns the exit code."""
        self._daemon.terminate()
        return self._daemon.wait(timeout=60)


class ReadmeTest(unittest.TestCase):
    def test_the_tour_works_as_written(self):
        with tempfile.TemporaryDirectory() as folder:
            tour = Tour(folder)
            for command in commands():
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


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
