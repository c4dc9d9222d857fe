#!/usr/bin/env python3
"""Counts the tests of a JUnit file as ctest writes it: count_results.py FILE.

Names those that did not pass, then prints 'N passed, N failed, N skipped' as its last line. Exits with 0 only if
there are tests and all of them passed: a test that was skipped, disabled or could not be run is not one that passed.
"""

import collections
import sys
import xml.etree.ElementTree

PASSED, FAILED = "run", "fail"  # ctest's words; 'notrun' and 'disabled' are the others.


def main(path):
    outcomes = collections.Counter()
    try:
        cases = list(xml.etree.ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"The results of the tests cannot be read: {error}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    for case in cases:
        status = case.get("status")
        outcomes[status] += 1
        if status == FAILED:
            print(f"failed: {case.get('name')}")
        elif status != PASSED:
            skipped = case.find("skipped")
            print(f"skipped ({status if skipped is None else skipped.get('message')}): {case.get('name')}")
    if not cases:
        print("no test was selected")
    skipped = len(cases) - outcomes[PASSED] - outcomes[FAILED]
    print(f"{outcomes[PASSED]} passed, {outcomes[FAILED]} failed, {skipped} skipped")
    return 0 if cases and outcomes[PASSED] == len(cases) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: count_results.py FILE")
    sys.exit(main(sys.argv[1]))
