# SPDX-License-Identifier: Apache-2.0
"""The last part of tools/run: a disk is coalesced while somebody writes to it. `catena serve` serves it by
NBD; the client is tools/run_writer.py, in a process of its own; snapshots, deletes and the coalesce are the
same commands as ever, done by the server. In the end each byte of the disk is what was written last."""
import contextlib
import json
import os
import subprocess
import sys
import time

from run_parts import CHILDREN, MIB, Failed, birth_of, size_text
from run_writer import BLOCK, content

WRITER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'run_writer.py')
PATIENCE = 60  # seconds that a server or client may take to end


def python_with_nbd():
    """A python that has libnbd, as words; the distribution's need not be the first in PATH."""
    for python in (sys.executable, '/usr/bin/python3'):
        with contextlib.suppress(OSError):
            if CHILDREN.run([python, '-B', '-c', 'import nbd'], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)[0] == 0:
                return [python, '-B']
    return None


class Written:
    """A disk as it must read: what it held at first, and over it what was written. Read like a file."""

    def __init__(self, file, held):
        self.file = file
        self.held = dict(held)  # by block: the write
        self.at = 0

    def read(self, n):
        piece = bytearray(self.file.read(n))
        for offset in range(0, len(piece), BLOCK):
            write = self.held.get((self.at + offset) // BLOCK)
            if write is not None:
                piece[offset:offset + BLOCK] = content((self.at + offset) // BLOCK, write)
        self.at += len(piece)
        return bytes(piece)


class Live:
    """`demo` has the SR, the disk's content in a file, and the programs."""

    def __init__(self, demo):
        self.demo = demo
        self.show = demo.show
        self.socket = demo.at('nbd.sock')
        self.guest = ''  # the served disk's uuid
        self.server = self.writer = None
        self.ends = contextlib.ExitStack()  # of those two

    # -- the two that run beside us

    def end(self, process):
        """Of one that was asked to end: its exit status."""
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed('a program did not end when it was asked to, in %d seconds' % PATIENCE) from None

    def drop(self, process):
        """Whatever became of it."""
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(Failed):
                self.end(process)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def start(self, command, **how):
        """Its pid goes where the next run finds it, should this one be killed."""
        process = CHILDREN.start(command, stdout=subprocess.PIPE, **how)
        self.ends.callback(self.drop, process)
        with open(self.demo.at('pid'), 'a') as f:
            f.write('%d %s\n' % (process.pid, birth_of(process.pid)))
        return process

    def serve(self):
        command = self.demo.catena_words('serve', '--sr', self.demo.sr, '--unix', self.socket)
        self.show.command(command)
        self.server = self.start(command, env=self.demo.env, stdin=subprocess.DEVNULL)
        said = self.server.stdout.readline().decode('utf-8', 'replace').strip()
        if not said:
            raise Failed('serve ended with exit status %d' % self.end(self.server))
        self.show.say(said)

    def ask(self, words):
        """The writer's answer."""
        with contextlib.suppress(BrokenPipeError):
            self.writer.stdin.write(words.encode() + b'\n')
            self.writer.stdin.flush()
        line = self.writer.stdout.readline()
        told = json.loads(line) if line else {'error': 'it ended with exit status %d' % self.end(self.writer)}
        if 'error' in told:
            raise Failed('the writer: %s' % told['error'])
        return told

    # -- steps

    def depth(self):
        return json.loads(self.demo.vdi('show', self.guest, '--json', show=False))['depth']

    def write_and_snapshot(self, python):
        mib = self.demo.mib
        with self.show.step('write to it by NBD, snapshot it meanwhile') as step:
            self.writer = self.start(python + [WRITER, self.socket, self.guest, self.demo.at('written.json')],
                                     stdin=subprocess.PIPE)
            step.size = 0
            for name in ('morning', 'noon', 'evening'):
                step.size += self.ask('burst %d' % (mib * MIB // 20))['bytes']
                self.ask('steady')
                self.demo.vdi('snapshot', self.guest, '--name', name)
                step.size += self.ask('steady')['bytes']
        with self.show.step('delete the snapshots'):
            for name in ('morning', 'noon', 'evening'):
                self.demo.vdi('delete', name)
            self.show.say(self.demo.vdi('tree'))

    def coalesce(self):
        self.ask('steady')
        time.sleep(min(2, self.demo.mib / 100))  # the writer is alone, to compare with
        before, depth = self.ask('steady'), self.depth()
        with self.show.step('coalesce below a writer') as step:
            self.show.say(self.demo.catena('gc', 'run', '--sr', self.demo.sr, '--progress'))
            meanwhile = self.ask('steady')
            status = json.loads(self.demo.catena('gc', 'status', '--sr', self.demo.sr, '--json', show=False))
            done = [each for each in status['history'] if each['name'] == 'guest']
            step.size = sum(each['bytes'] for each in done)
        self.show.say(self.demo.vdi('tree'))
        now = self.depth()
        for each in done:
            rate = each['bytes'] / max(each['seconds'], 1e-3)
            self.show.told('%s moved in %.1f s, %s/s' % (
                size_text(each['bytes']), each['seconds'], size_text(rate)))
        self.show.told('%d files in the chain, %d before' % (now, depth))
        for when, told in (('before', before), ('meanwhile', meanwhile)):
            self.show.told('%-10s %5d writes, %s; a request took %.1f ms (median), the slowest %.1f ms' % (
                when, told['writes'], size_text(told['bytes']), told['median'] * 1e3, told['slowest'] * 1e3))
        if not done or now >= depth or status['coalesces']:
            raise Failed('gc run below a writer left %d files in the chain, of %d' % (now, depth))

    def stop(self):
        with self.show.step('stop the server (SIGTERM)'):
            self.ask('stop')
            code = self.end(self.writer)
            if code:
                raise Failed('the writer ended with exit status %d' % code)
            self.server.terminate()
            code = self.end(self.server)
            if code:
                raise Failed('serve ended with exit status %d' % code)

    def prove(self):
        with self.show.step('prove: it reads as it was written last') as step:
            with open(self.demo.at('written.json')) as f:
                held = json.load(f)
            with open(self.demo.at('changed.raw'), 'rb') as f:
                step.size = self.demo.compare_piped(self.guest, Written(f, held))
            self.show.told('%s were written, the rest is as before' % size_text(len(held) * BLOCK))
            self.demo.catena('sr', 'check', self.demo.sr)

    def all(self):
        """False: it could not be shown here, which it said."""
        python = python_with_nbd()
        if not python:
            return False
        with self.ends:
            with self.show.step('clone the snapshot, serve the SR'):
                self.guest = self.demo.vdi('clone', self.demo.second, '--name', 'guest')
                self.serve()
            self.write_and_snapshot(python)
            self.coalesce()
            self.stop()
        self.prove()
        return True
