#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/plant, on a small project of its own: what is caught, and each way not to be."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PROJECT = {
    'meson.build': '''project('small', 'c')
sum = executable('sum', 'sum.c', 'main.c')
test('sum', sum, suite: 'unit')
test('broken', find_program('false'), suite: 'unit')
test('later', find_program('sh'), args: ['-c', 'exit 77'], suite: 'unit')
''',
    'sum.c': '''int sum(int a, int b);
int sum(int a, int b) {
        int unused = 1;
        (void)unused;
        return a + b;
}
''',
    'main.c': 'int sum(int a, int b);\nint main(void) { return sum(2, 2) != 4; }\n',
}


def bug(name, find, put, tests='["sum"]', more=''):
    return '''[[bug]]
name = "%s"
breaks = "x"
file = "sum.c"
find = "%s"
with = "%s"
tests = %s
%s
''' % (name, find, put, tests, more)


class Plant(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp()
        for path, text in PROJECT.items():
            with open(os.path.join(cls.top, path), 'w') as f:
                f.write(text)
        os.makedirs(os.path.join(cls.top, 'test', 'plant'))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    def plant(self, bugs, *args):
        with open(os.path.join(self.top, 'test', 'plant', 'all.toml'), 'w') as f:
            f.write(''.join(bugs))
        words = [sys.executable, os.path.join(TOP, 'tools', 'plant'), '--tree', self.top] + list(args)
        done = subprocess.run(words, env=dict(os.environ, TMPDIR=self.top), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        for path, text in PROJECT.items():
            with open(os.path.join(self.top, path)) as f:
                self.assertEqual(f.read(), text)
        self.assertEqual([name for name in os.listdir(self.top) if name.startswith('catena-plant')], [])
        return done

    def test_bugs_one_by_one(self):
        done = self.plant([
            bug('minus', 'a + b', 'a - b'),
            bug('after the others are taken out', 'a + b', 'a + b + 1', '["unit/later", "unit/sum"]'),
        ])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('caught 2 of 2\n', done.stdout)

        done = self.plant([
            bug('minus', 'a + b', 'a - b'),
            bug('nobody looks', 'unused = 1', 'unused = 2'),
            bug('only skipped', 'a + b', 'a - b', '["later"]'),
            bug('no C', 'a + b', 'a +'),
            bug('gone', 'a * b', 'a'),
        ])
        self.assertEqual(done.returncode, 1)
        self.assertIn('NOT PLANTED: gone', done.stdout)
        self.assertRegex(done.stdout, r'NOT CAUGHT .*nobody looks.*\n *all 1 tests passed')
        self.assertRegex(done.stdout, r'NOT CAUGHT .*only skipped.*\n *all 1 tests skipped')
        self.assertRegex(done.stdout, r'NOT CAUGHT .*no C.*\n *does not compile')
        self.assertIn('caught 1 of 5\n', done.stdout)

    def test_a_test_that_fails_anyway_catches_nothing(self):
        done = self.plant([bug('minus', 'a + b', 'a - b', '["broken"]')])
        self.assertEqual(done.returncode, 1)
        self.assertIn('broken failed without any bug:', done.stdout)
        done = self.plant([bug('minus', 'a + b', 'a - b', '["product"]')])
        self.assertEqual((done.returncode, done.stdout), (1, 'there is no test "product"\n'))

    def test_a_bug_in_two_places(self):
        done = self.plant([
            '''[[bug]]
name = "both"
breaks = "x"
tests = ["sum"]
edits = [{file = "sum.c", find = "unused = 1", with = "unused = 7"},
         {file = "sum.c", find = "a + b", with = "a + b + unused"}]
'''])
        self.assertIn('caught 1 of 1\n', done.stdout)

    def test_bugs_that_do_not_fit(self):
        for text, words in ((bug('a', 'a', 'b'), 'times in sum.c'),
                            (bug('a', 'a + b', 'a + b'), 'changes nothing'),
                            (bug('a', 'a + b', 'a', '[]'), 'names no test'),
                            (bug('a', 'a + b', 'a', more='seed = 1'), 'unknown seed'),
                            (bug('a', 'a + b', 'a', more='sanitize = "maybe"'), 'sanitize is')):
            done = self.plant([text], '--check')
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stdout)
        done = self.plant([bug('a', 'a + b', 'a'), bug('a', 'a + b', 'b')], '--check')
        self.assertIn('two bugs are called "a"', done.stdout)
        done = self.plant([bug('a', 'a + b', 'a')], '--check')
        self.assertEqual((done.returncode, done.stdout), (0, '1 of 1 bugs fit the source\n'))


if __name__ == '__main__':
    unittest.main(verbosity=2)
