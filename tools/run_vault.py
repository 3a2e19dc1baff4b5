# SPDX-License-Identifier: Apache-2.0
"""A part of tools/run: both days of the disk go into an encrypted vault, the second as what differs from the
first; the vault proves what it has, and gives the second day back: as a file, and at once, over NBD."""
import json
import os
import shutil
import signal
import subprocess

from run_parts import size_text


class Vault:
    def __init__(self, demo):
        self.demo, self.show = demo, demo.show
        self.open = ['--vault', demo.at('vault'), '--key-file', demo.at('vault.key')]

    def put(self, *words):
        return json.loads(self.demo.catena('vault', 'put', *self.open, '--name', 'disk', *words, '--json'))

    def back_up(self):
        with self.show.step('make a vault, back up monday') as step:
            self.demo.catena('vault', 'init', self.demo.at('vault'), '--key-file', self.demo.at('vault.key'))
            told = self.put(self.demo.at('disk.raw'))
            step.size = told['read']
            self.show.told('%s of chunks, stored as %s, compressed and encrypted' % (
                size_text(told['added']), size_text(told['stored'])))
        with self.show.step('back up tuesday into it') as step:
            told = self.put('--parent', 'latest', self.demo.at('changed.raw'))
            step.size = told['read']
            self.show.told('%s of %s read were new to the vault' % (size_text(told['added']),
                                                                 size_text(told['read'])))

    def prove(self):
        with self.show.step('prove: the vault is what was put') as step:
            told = json.loads(self.demo.catena('vault', 'verify', *self.open, '--json'))
            step.size = told['bytes_read']
        with self.show.step('prove: its restored point is equal') as step:
            self.demo.catena('vault', 'get', *self.open, 'latest', '-o', self.demo.at('point.raw'))
            with open(self.demo.at('point.raw'), 'rb') as a, open(self.demo.at('changed.raw'), 'rb') as b:
                step.size = self.demo.compare(a, b, self.demo.at('point.raw'))
            os.unlink(self.demo.at('point.raw'))

    def serve(self):
        """What a client reads is fetched when he reads it; nothing is restored first."""
        if not shutil.which('qemu-img'):
            return
        socket = self.demo.at('point.sock')
        with self.show.step('prove: the point over NBD is equal') as step:
            words = ['vault', 'nbd', *self.open, 'latest', '--unix', socket]
            server = subprocess.Popen([self.demo.program, *words], env=self.demo.env, stdout=subprocess.PIPE)
            try:
                server.stdout.readline()
                subprocess.run(['qemu-img', 'compare', '-f', 'raw', '-F', 'raw', self.demo.at('changed.raw'),
                                'nbd+unix:///?socket=' + socket], check=True, stdout=subprocess.DEVNULL)
                step.size = os.path.getsize(self.demo.at('changed.raw'))
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait()
                server.stdout.close()

    def all(self):
        self.back_up()
        self.prove()
        self.serve()
