#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/run, small: it ends well; it does not when a backup, a restore, a write or a coalesce is not what it
should be.

Between tools/run and catena stands, where a test wants it, a liar: a script that passes each call on but
spoils one.
"""
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.environ.get('CATENA_SOURCE') or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
CATENA = os.path.join(BUILD, 'src', 'catena')
PATH = os.environ['PATH'] + ':/usr/sbin:/sbin'
ABSENT = [name for name in ('mke2fs', 'debugfs', 'e2fsck') if not shutil.which(name, path=PATH)]

NOBODY = 65534

def has_nbd():
    return any(os.access(python, os.X_OK) and
               subprocess.run([python, '-c', 'import nbd'], stderr=subprocess.DEVNULL).returncode == 0
               for python in (sys.executable, '/usr/bin/python3'))


needs_nbd = unittest.skipUnless(has_nbd(), 'python3-libnbd is not installed')

LIAR = '''#!/bin/sh
lie=%s catena=%s
case "$lie $*" in
"wait sr create "*) exec sleep 60 ;;
"no-restore vdi import "*" --onto "*) exit 0 ;;
"no-write vdi write "*" --offset 0") ;;
"no-write vdi write "*) exit 0 ;;
"no-gc gc run "*) exit 0 ;;
"no-live-gc gc run "*) [ ! -S "$RUN_DIR/nbd.sock" ] || exit 0 ;;
"live-wait gc run "*) while [ -S "$RUN_DIR/nbd.sock" ]; do sleep 0.1; done ;;
"live-flip vdi export "*)
        [ ! -e "$RUN_DIR/written.json" ] || { "$catena" "$@" | tr '\\000' '\\001'; exit; } ;;
"live-kill gc run "*) [ ! -S "$RUN_DIR/nbd.sock" ] || kill -9 "$(sed -n '2s/ .*//p' "$RUN_DIR/pid")" ;;
"no-serve serve "*) exit 5 ;;
"vault-flip vault verify "*)
        pack=$(find "$RUN_DIR/vault/packs" -type f -size +8k | head -n 1)
        printf '\\377\\000\\377\\000' | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none ;;
"bad-end serve "*) trap 'kill $!' TERM; "$catena" "$@" & wait; wait; exit 6 ;;
*" --base "*) "$catena" "$@" && exec %s %s --spoil "$lie" "$RUN_DIR/delta.vhd" ;;
esac
exec "$catena" "$@"
'''


def spoil(lie, name):
    if lie == 'short':
        os.truncate(name, os.path.getsize(name) - 512)
    if lie != 'flip':
        return
    with open(name, 'r+b') as f:  # a byte of the first sector that the delta carries
        f.seek(16)
        header, = struct.unpack('>Q', f.read(8))
        f.seek(header + 16)
        bat, _, blocks = struct.unpack('>QII', f.read(16))
        f.seek(bat)
        entries = struct.unpack('>%dI' % blocks, f.read(4 * blocks))
        at = next(entry for entry in entries if entry != 0xffffffff) * 512
        f.seek(at)
        bitmap = f.read(512)
        sector = next(i for i in range(4096) if bitmap[i // 8] >> (7 - i % 8) & 1)
        f.seek(at + 512 + sector * 512 + 100)
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 1]))


@unittest.skipIf(ABSENT, 'not installed (package e2fsprogs): ' + ', '.join(ABSENT))
class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='catena-run-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.place = os.path.join(self.folder, 'run')

    def environment(self, lie=None, catena=CATENA):
        if lie:
            catena = os.path.join(self.folder, 'liar')
            with open(catena, 'w') as f:
                f.write(LIAR % (lie, shlex.quote(CATENA), shlex.quote(sys.executable),
                                shlex.quote(os.path.abspath(__file__))))
            os.chmod(catena, 0o755)
        return dict(os.environ, RUN_DIR=self.place, RUN_MIB='8', CATENA=catena, CATENAD=CATENA + 'd',
                    ONCE='1', HOME=self.folder,
                    XDG_STATE_HOME=os.path.join(self.folder, 'state'))

    def run_it(self, lie=None, user=None, **more):
        env = dict(self.environment(lie), **more)
        return subprocess.run([os.path.join(TOP, 'tools', 'run')], env=env, cwd=self.folder, user=user,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)

    def notices(self, lie, *said):
        done = self.run_it(lie)
        self.assertEqual(done.returncode, 1, done.stdout)
        for words in said:
            self.assertIn(words, done.stdout)
        self.assertNotIn('are equal.', done.stdout)

    def test_a_vault_that_is_damaged_is_noticed(self):
        done = self.run_it('vault-flip')
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('vault verify ended with exit status 4', done.stdout)

    def test_a_run_ends_well_and_writes_only_where_it_should(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('bytes, file system and files are equal.', done.stdout)
        self.assertIn('what was written last.' if has_nbd() else 'Not shown: ', done.stdout)
        self.assertEqual(os.listdir(self.folder), ['run'])
        left = os.listdir(self.place)
        for name in ('disk.raw', 'full.vhd', 'delta.vhd', 'restored.raw', 'sr', 'table.txt'):
            self.assertIn(name, left)
        self.assertNotIn('pid', left)
        self.assertNotIn('\033', done.stdout)
        full, delta = (os.stat(os.path.join(self.place, name)).st_blocks
                       for name in ('full.vhd', 'delta.vhd'))
        self.assertLess(delta, full // 4)

    def test_a_daemon_that_does_not_begin_is_noticed(self):
        done = self.run_it(CATENAD='/bin/false')
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('catenad ended with exit status 1', done.stdout)

    def test_a_daemon_that_has_another_disk_is_noticed(self):
        liar = os.path.join(self.folder, 'catenad')
        with open(liar, 'w') as f:  # the disk is another by the time it has it
            f.write('#!/bin/sh\n%s vdi list --sr "$RUN_DIR/sr" --json >"$RUN_DIR/vdis"\n'
                    'for each in "$RUN_DIR"/sr/*.vhd; do rm -f "$each"; done\nexec %s "$@"\n' % (
                        shlex.quote(CATENA), shlex.quote(CATENA + 'd')))
        os.chmod(liar, 0o755)
        done = self.run_it(CATENAD=liar)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn('FAILED', done.stdout)

    @unittest.skipIf(os.getuid(), 'this is not root, so the other cases show it')
    def test_no_root_is_needed(self):
        env = {'PATH': '/usr/bin:/bin'}
        looks = ['python3', '-c', 'import os, sys; sys.exit(not all(os.access(p, 5) for p in sys.argv[1:]))']
        if subprocess.run(looks + [CATENA, os.path.join(TOP, 'tools', 'run')], env=env, user=NOBODY,
                          cwd='/').returncode:
            self.skipTest('the tree is not open to other users')
        os.chown(self.folder, NOBODY, NOBODY)
        done = self.run_it(user=NOBODY, **env)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_one_bit_flipped_in_the_delta_is_noticed(self):
        self.notices('flip', 'differs from what was backed up, first at byte')

    def test_a_delta_cut_short_is_noticed(self):
        self.notices('short', 'vdi import ended with exit status 1')

    def test_a_delta_that_is_not_restored_is_noticed(self):
        self.notices('no-restore', 'differs from what was backed up, first at byte')

    def test_a_chain_that_stays_long_is_noticed(self):
        self.notices('no-gc', 'gc run left 2 chains longer than they should be')

    def test_writes_that_are_lost_are_noticed(self):
        self.notices('no-write', 'differs from what was backed up, first at byte')

    def test_without_libnbd_the_rest_is_shown(self):
        hidden = tempfile.TemporaryDirectory(prefix='catena-run-')
        self.addCleanup(hidden.cleanup)
        with open(os.path.join(hidden.name, 'nbd.py'), 'w') as f:
            f.write('raise ImportError\n')
        done = self.run_it(PYTHONPATH=hidden.name)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('are equal.', done.stdout)
        self.assertIn('python3-libnbd is not installed', done.stdout)

    @needs_nbd
    def test_a_chain_that_stays_long_below_a_writer_is_noticed(self):
        self.notices('no-live-gc', 'gc run below a writer left 5 files in the chain, of 5')

    @needs_nbd
    def test_a_served_disk_that_is_not_what_was_written_is_noticed(self):
        self.notices('live-flip', 'differs from what was backed up, first at byte')

    @needs_nbd
    def test_a_server_that_does_not_begin_or_end_well_is_noticed(self):
        self.notices('no-serve', 'serve ended with exit status 5')
        self.notices('bad-end', 'serve ended with exit status 6')

    @needs_nbd
    def test_a_server_that_dies_below_a_writer_is_noticed(self):
        self.notices('live-kill', 'the writer: nbd_')

    def begin_and_serve(self):
        """A run that coalesces for ever below a writer, and what else it runs: (pid, birth) of each."""
        run = subprocess.Popen([os.path.join(TOP, 'tools', 'run')], env=self.environment('live-wait'),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        for line in run.stdout:
            if 'gc run' in line and os.path.exists(os.path.join(self.place, 'nbd.sock')):
                break
        with open(os.path.join(self.place, 'pid')) as f:
            pids = [line.split() for line in f]
        self.assertEqual(len(pids), 3)
        return run, pids[1:]

    def runs(self, pid, birth):
        try:
            with open('/proc/%s/stat' % pid) as f:
                fields = f.read().rpartition(')')[2].split()
        except OSError:
            return False
        return fields[0] != 'Z' and fields[19] == birth

    @needs_nbd
    def test_a_run_that_is_stopped_stops_its_server(self):
        run, pids = self.begin_and_serve()
        run.terminate()
        self.assertIn('stopped by signal %d' % signal.SIGTERM, run.communicate(timeout=60)[0])
        self.assertEqual(run.returncode, 1)
        self.assertEqual([pid for pid in pids if self.runs(*pid)], [])

    @needs_nbd
    def test_a_second_run_stops_the_server_of_one_that_was_killed(self):
        run, pids = self.begin_and_serve()
        run.kill()
        run.wait()
        self.assertTrue(self.runs(*pids[0]))
        done = self.run_it(CATENA='/bin/false')
        self.assertIn('stopping the run under way (process %s)' % pids[0][0], done.stdout)
        self.assertEqual([pid for pid in pids if self.runs(*pid)], [])

    def test_a_second_run_stops_the_first_and_starts_afresh(self):
        first = subprocess.Popen([os.path.join(TOP, 'tools', 'run')], env=self.environment('wait'),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(first.kill)
        while not os.path.exists(os.path.join(self.place, 'disk.raw')):
            self.assertIsNone(first.poll())
            time.sleep(0.05)
        open(os.path.join(self.place, 'of-the-first'), 'w').close()
        second = self.run_it(CATENA='/bin/false')
        said = first.communicate(timeout=60)[0]
        self.assertEqual(first.returncode, 1)
        self.assertIn('stopped by signal %d' % signal.SIGTERM, said)
        self.assertIn('stopping the run under way', second.stdout)
        self.assertIn('sr create ended with exit status 1', second.stdout)
        self.assertFalse(os.path.exists(os.path.join(self.place, 'of-the-first')))

    def test_a_process_that_only_has_the_pid_is_left_alone(self):
        other = subprocess.Popen(['sleep', '60'])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        os.mkdir(self.place)
        open(os.path.join(self.place, 'made-by-make-run'), 'w').close()
        with open(os.path.join(self.place, 'pid'), 'w') as f:
            f.write('%d 1\n' % other.pid)
        self.run_it(CATENA='/bin/false')
        self.assertIsNone(other.poll())

    def test_a_folder_of_another_is_not_removed(self):
        os.mkdir(self.place)
        open(os.path.join(self.place, 'letters'), 'w').close()
        done = self.run_it()
        self.assertEqual(done.returncode, 1)
        self.assertIn('was not made by this program', done.stdout)
        self.assertEqual(os.listdir(self.place), ['letters'])

    def test_an_odd_size_is_refused(self):
        for mib in ('7', '641', 'many', ''):
            done = self.run_it(RUN_MIB=mib)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn('a number from 8 to 640', done.stdout)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--spoil']:
        spoil(*sys.argv[2:])  # called by the liar
    else:
        unittest.main(verbosity=2)
