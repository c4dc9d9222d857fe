#!/usr/bin/env python3
"""What deploy/quickstart refuses before it builds or removes anything."""

import pathlib
import subprocess
import tempfile
import unittest

QUICKSTART = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "quickstart"


def run(*arguments, folder="/"):
    return subprocess.run([QUICKSTART, *arguments], cwd=folder, check=False, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


class QuickstartTest(unittest.TestCase):
    def test_leaves_a_folder_alone_that_it_did_not_make(self):
        with tempfile.TemporaryDirectory() as folder:
            mine = pathlib.Path(folder, "mine")
            mine.mkdir()
            (mine / "thesis.txt").write_text("years of work", encoding="utf-8")
            for named, seen_from in ((str(mine), "/"), ("mine", folder)):
                refused = run("--data", named, folder=seen_from)
                self.assertEqual(refused.returncode, 1, refused.stderr)
                self.assertIn(f"{mine} holds something else", refused.stderr)
                self.assertNotIn("build:", refused.stdout, "it is refused before anything is built")
            self.assertEqual([entry.name for entry in mine.iterdir()], ["thesis.txt"])
            self.assertEqual((mine / "thesis.txt").read_text(encoding="utf-8"), "years of work")

    def test_takes_no_file_for_a_folder(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(run("--data", file.name).returncode, 1)
            self.assertTrue(pathlib.Path(file.name).exists())

    def test_says_what_it_does_not_understand(self):
        for arguments in (("--port", "high"), ("--data",), ("--fast",)):
            refused = run(*arguments)
            self.assertEqual(refused.returncode, 1, arguments)
            self.assertIn(arguments[0], refused.stderr)


if __name__ == "__main__":
    unittest.main()
