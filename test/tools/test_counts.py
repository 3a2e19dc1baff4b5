#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test/run counts what programs report, and never takes a failure for less than one."""
import importlib.machinery
import importlib.util
import os
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
loader = importlib.machinery.SourceFileLoader('run', os.path.join(TOP, 'test', 'run'))
spec = importlib.util.spec_from_loader('run', loader)
run = importlib.util.module_from_spec(spec)
loader.exec_module(run)

CMOCKA = '''[==========] Running 4 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
no such disk here
[  SKIPPED ] b
[ RUN      ] c
[  FAILED  ] c
[ RUN      ] d
[       OK ] d
[==========] 4 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] b
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] c

 1 FAILED TEST(S)
'''
UNITTEST = '''test_a (__main__.T.test_a) ... ok
test_b (__main__.T.test_b)
What b is about ... skipped 'no apt-get'
test_c (__main__.T.test_c) ... FAIL

----------------------------------------------------------------------
Ran 3 tests in 0.010s

FAILED (failures=1, skipped=1)
'''


def count(text, outcome):
    found = run.Count(text, outcome)
    return found.passed, found.failed, found.skipped


class Counts(unittest.TestCase):
    def test_cases_of_cmocka(self):
        self.assertEqual(count(CMOCKA, 'FAIL'), (2, 1, [('b', 'no such disk here')]))

    def test_cases_of_unittest(self):
        self.assertEqual(count(UNITTEST, 'FAIL'), (1, 1, [('test_b', 'no apt-get')]))
        self.assertEqual(count('Ran 5 tests in 1.0s\n\nOK\n', 'OK'), (5, 0, []))

    def test_planted_bugs(self):
        self.assertEqual(count('NOT CAUGHT x\ncaught 20 of 22\n', 'FAIL'), (20, 2, []))

    def test_a_program_that_reports_nothing_counts_as_one(self):
        self.assertEqual(count('tried 400 points\n', 'OK'), (1, 0, []))
        self.assertEqual(count('', 'FAIL'), (0, 1, []))

    def test_a_program_that_died_on_the_way_has_failed(self):
        self.assertEqual(count('[       OK ] a\n', 'FAIL'), (1, 1, []))
        self.assertEqual(count('[       OK ] a\n', 'TIMEOUT'), (1, 1, []))

    def test_a_program_that_skips_gives_its_last_line_as_the_reason(self):
        self.assertEqual(count('looking for qemu-img\nqemu-img is not installed\n\n', 'SKIP'),
                         (0, 0, [('', 'qemu-img is not installed')]))


if __name__ == '__main__':
    unittest.main(verbosity=2)
