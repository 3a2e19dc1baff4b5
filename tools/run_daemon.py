# SPDX-License-Identifier: Apache-2.0
"""The end of tools/run: catenad has the demo's SR, and whoever is at a terminal may try it until Ctrl-C.
Elsewhere the three things that it names are tried here, and it is stopped."""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import xmlrpc.client

from run_parts import CHILDREN, Failed, birth_of

PATIENCE = 60  # seconds that it may take to begin, and to end
PORT = 8080

CONFIG = '''[daemon]
state-dir = %(state)s
[http]
# Plain, since it listens on this machine alone; anywhere else TLS is on.
listen = 127.0.0.1:%(port)d
tls = off
[nbd]
unix = %(nbd)s
[sr demo]
dir = %(sr)s
'''


def is_free(port):
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


class Daemon:
    """`demo` has the SR, the disks and the programs."""

    def __init__(self, demo):
        self.demo = demo
        self.show = demo.show
        self.program = os.environ.get('CATENAD') or demo.program + 'd'
        self.state = demo.at('daemon')
        self.running = None
        self.url = self.password_file = ''

    def all(self):
        with self.show.step('start the daemon with it'):
            self.start()
        try:
            if sys.stdout.isatty() and os.environ.get('ONCE') != '1':
                self.stay()
            else:
                self.try_all()
        finally:
            self.stop()

    # -- the daemon

    def configure(self):
        path = self.demo.at('catenad.conf')
        with open(path, 'w') as f:
            f.write(CONFIG % {'state': os.path.abspath(self.state), 'port': PORT if is_free(PORT) else 0,
                              'nbd': os.path.abspath(self.demo.at('daemon.nbd')),
                              'sr': os.path.abspath(self.demo.sr)})
        return path

    def start(self):
        command = [self.program, '--config', self.configure()]
        self.show.command(command)
        with open(self.demo.at('daemon.log'), 'w') as log:
            self.running = CHILDREN.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=log)
        # Its pid goes where the next run finds it, should this one be killed.
        with open(self.demo.at('pid'), 'a') as f:
            f.write('%d %s\n' % (self.running.pid, birth_of(self.running.pid)))
        for line in self.running.stdout:
            words = line.decode('utf-8', 'replace').split()
            if words[:2] == ['listening', 'http']:
                self.url = words[2]
            elif words[:1] == ['admin-password']:
                self.password_file = words[1]
            elif words == ['ready']:
                return
        with open(self.demo.at('daemon.log')) as f:
            raise Failed('catenad ended with exit status %d: %s' % (self.running.wait(), f.read().strip()))

    def stop(self):
        if self.running.poll() is None:
            self.running.terminate()
        try:
            code = self.running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.running.kill()
            raise Failed('catenad did not end when it was asked to, in %d seconds' % PATIENCE) from None
        self.running.stdout.close()
        if code:
            raise Failed('catenad ended with exit status %d' % code)

    # -- for whoever is there

    def tries(self):
        """(what to type, why)"""
        secret = '"$(cat %s)"' % self.password_file
        return (('curl -u root:%s %s/vdi/%s.vhd -o monday.vhd' % (secret, self.url, self.demo.second),
                 'a disk, by HTTP'),
                ('python3 -c \'import xmlrpc.client as x; s = x.ServerProxy("%s"); '
                 'print(s.session.login_with_password("root", open("%s").read().strip()))\'' % (
                     self.url, self.password_file), 'the XenAPI'),
                (' '.join(self.words('sr', 'list')), 'any verb, carried out by the daemon'))

    def words(self, *verb):
        return self.demo.catena_words('--socket', os.path.join(self.state, 'control.sock'), *verb)

    def say(self):
        self.show.say('\nThe daemon runs: %s, user root, its password in %s.' % (
            self.url, self.password_file))
        self.show.say('Three things to try:')
        for text, why in self.tries():
            self.show.say('  %s   # %s' % (text, why))

    def stay(self):
        self.say()
        self.show.say('Ctrl-C stops it.')
        try:
            while self.running.poll() is None:
                time.sleep(0.2)
        except KeyboardInterrupt:
            self.show.say('')

    # -- by ourselves

    def try_all(self):
        self.say()
        with open(self.password_file) as f:
            password = f.read().strip()
        with self.show.step('prove: the disk by HTTP is the disk') as step:
            step.size = self.try_http(password)
        with self.show.step('prove: XenAPI and socket know the SR'):
            self.try_xapi(password)
            names = [each['name'] for each in json.loads(self.run_here('sr', 'list', '--json'))['srs']]
            if 'demo' not in names:
                raise Failed('the daemon knows no SR called demo, but %s' % names)

    def run_here(self, *verb):
        code, said, _ = CHILDREN.run(self.words(*verb), env=self.demo.env, stdout=subprocess.PIPE)
        if code:
            raise Failed('%s ended with exit status %d' % (' '.join(verb[:2]), code))
        return said

    def try_http(self, password):
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, self.url, 'root', password)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPBasicAuthHandler(manager))
        with opener.open('%s/vdi/%s.raw' % (self.url, self.demo.second)) as answer, \
                open(self.demo.at('changed.raw'), 'rb') as wanted:
            return self.demo.compare(answer, wanted, 'the disk by HTTP')

    def try_xapi(self, password):
        server = xmlrpc.client.ServerProxy(self.url)
        session = server.session.login_with_password('root', password)['Value']
        disks = server.VDI.get_all_records(session)['Value'].values()
        if self.demo.second not in [each['uuid'] for each in disks]:
            raise Failed('the XenAPI knows no disk %s' % self.demo.second)
        server.session.logout(session)
