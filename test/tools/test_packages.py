#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/packages: what is missing is shown with its apt line, and NO_INSTALL=1 stops there."""
import os
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HAS_APT = all(any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ['PATH'].split(':'))
              for name in ('apt-get', 'dpkg-query'))


def packages(rows, *jobs, path=None):
    with tempfile.NamedTemporaryFile('w') as f:
        f.write('# a comment\n\n' + ''.join(row + '\n' for row in rows))
        f.flush()
        env = dict(os.environ, NO_INSTALL='1', PACKAGES_LIST=f.name)
        if path:
            env['PATH'] = path
        return subprocess.run(['/bin/sh', os.path.join(TOP, 'tools', 'packages')] + list(jobs), env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


HERE = 'nosuch-here build cmd:sh there by another way than dpkg'
GONE = 'nosuch-gone build - a made-up library'
RUN = 'nosuch-run run,test? cmd:nosuch-program wanted by one, used by the other'


class Packages(unittest.TestCase):
    def test_nothing_is_said_when_all_is_there(self):
        done = packages([HERE, RUN], 'build')
        self.assertEqual((done.returncode, done.stdout), (0, ''))

    @unittest.skipUnless(HAS_APT, 'this system has no apt-get')
    def test_what_is_missing_is_shown_with_its_reason_and_line(self):
        done = packages([HERE, GONE], 'build')
        self.assertEqual(done.returncode, 1)
        self.assertIn('a made-up library', done.stdout)
        self.assertIn('apt-get install -y --no-install-recommends nosuch-gone\n', done.stdout)
        self.assertNotIn('nosuch-here', done.stdout)

    def test_each_job_needs_what_build_needs(self):
        self.assertEqual(packages([GONE], 'run').returncode, 1)

    def test_one_job_stops_where_another_goes_on(self):
        self.assertEqual(packages([HERE, RUN], 'run').returncode, 1)
        done = packages([HERE, RUN], 'test')
        self.assertEqual(done.returncode, 0)
        self.assertIn('are skipped without', done.stdout)
        self.assertIn('nosuch-run', done.stdout)

    def test_one_of_several_ways_to_find_it_is_enough(self):
        with tempfile.TemporaryDirectory() as folder:
            row = 'nosuch-way build cmd:nosuch-program,begins:%s/kernel-,pc:nosuch found so' % folder
            self.assertEqual(packages([row], 'build').returncode, 1)
            open(os.path.join(folder, 'kernel-6.1'), 'w').close()
            self.assertEqual(packages([row], 'build').returncode, 0)

    def test_a_system_that_is_not_debian_is_told_the_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('sed', 'tr', 'cut', 'id', 'dirname', 'cat'):
                for place in ('/usr/bin/', '/bin/'):
                    if os.access(place + name, os.X_OK):
                        os.symlink(place + name, os.path.join(folder, name))
                        break
            done = packages([GONE, 'nosuch-cut build cmd:cut there'], 'build', path=folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn('not Debian', done.stdout)
        self.assertIn('nosuch-gone', done.stdout)
        self.assertNotIn('nosuch-cut', done.stdout)
        self.assertNotIn('apt-get', done.stdout)

    def test_the_list_itself_is_whole(self):
        with open(os.path.join(TOP, 'tools', 'packages.txt')) as f:
            rows = [line.split(None, 3) for line in f if line.strip() and not line.startswith('#')]
        for row in rows:
            self.assertEqual(len(row), 4, row)
            for job in row[1].split(','):
                self.assertIn(job.rstrip('?'), ('build', 'test', 'test-s3', 'run', 'bench'))
            for way in row[2].split(','):
                self.assertTrue(way == '-' or way.startswith(('cmd:', 'pc:', 'begins:/')), row)
        self.assertEqual(len(rows), len({row[0] for row in rows}))


if __name__ == '__main__':
    unittest.main(verbosity=2)
