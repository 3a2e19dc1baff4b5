# SPDX-License-Identifier: Apache-2.0
"""What the rows of bench/ share: a folder to work in, turns, and ratios.

A row is a file in bench/rows/ with NAMES (of what it measures) and measure(bench), which yields Results. All
it makes lies below bench.folder and is gone when the row has ended. Each command has a time limit.
"""
import json
import os
import shutil
import statistics
import subprocess
import time

LIMIT_S = 900  # of any one command


class Spread:
    """Minimum, median and maximum of what was measured."""

    def __init__(self, values):
        self.values = sorted(values)
        self.min, self.max = self.values[0], self.values[-1]
        self.median = statistics.median(self.values)

    def as_json(self):
        return {'min': self.min, 'median': self.median, 'max': self.max, 'n': len(self.values)}


class Result:
    """One line of the table.

    wanted is None where nothing is (the row is reported), else ('>=' or '<=', number): the median has to
    meet it.
    unit is '×', 'ms', 's', 'MiB', '%' or 'bytes'; note says in words what else there is to know.
    """

    def __init__(self, what, against, unit, values, wanted=None, note=''):
        self.what, self.against, self.unit, self.wanted, self.note = what, against, unit, wanted, note
        self.spread = Spread(values)

    def is_met(self):
        if self.wanted is None:
            return None
        sign, number = self.wanted
        return self.spread.median >= number if sign == '>=' else self.spread.median <= number

    def as_json(self):
        return {'what': self.what, 'against': self.against, 'unit': self.unit,
                'wanted': None if self.wanted is None else ' '.join(map(str, self.wanted)),
                'met': self.is_met(), 'note': self.note, **self.spread.as_json()}


class Bench:
    def __init__(self, top, build, folder, rounds, say, share=1):
        self.top, self.build, self.folder, self.say = top, build, folder, say
        self.rounds_asked, self.share = rounds, share
        self.environment = dict(os.environ, XDG_STATE_HOME=folder)  # names of SRs are not the user's

    def within(self, folder):
        """The same, at work in another folder."""
        return Bench(self.top, self.build, folder, self.rounds_asked, self.say, self.share)

    def rounds(self, usual):
        return self.rounds_asked or usual

    def scaled(self, usual):
        """What a row usually has of bytes or objects, or the share of it that was asked for."""
        return usual // self.share

    def catena(self):
        return os.path.join(self.build, 'src', 'catena')

    def program(self, name):
        return os.path.join(self.build, 'bench', 'bench_' + name)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def fresh(self, name):
        """An empty folder of that name."""
        path = self.path(name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def drop(self, *paths):
        for path in paths:
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)

    def run(self, *command, stdin=None):
        """What it prints; an exit code that is not 0 ends the row."""
        done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, env=self.environment)
        if done.returncode:
            raise RuntimeError('%s: exit %d: %s' % (os.path.basename(str(command[0])), done.returncode,
                                                    (done.stderr or done.stdout).strip()[-400:]))
        return done.stdout

    def program_json(self, name, *arguments):
        return json.loads(self.run(self.program(name), *arguments))

    def seconds(self, *command):
        began = time.monotonic()
        self.run(*command)
        return time.monotonic() - began

    def turns(self, rounds, subjects):
        """{name: [seconds, one a round]}: subjects is [(name, function that returns seconds)]; each round
        begins with another of them, so that no one always comes behind the same."""
        took = {name: [] for name, _ in subjects}
        for r in range(rounds):
            for i in range(len(subjects)):
                name, measure = subjects[(r + i) % len(subjects)]
                took[name].append(measure())
                self.say('round %d of %d: %s %.2f s' % (r + 1, rounds, name, took[name][-1]))
        return took


def ratios(above, below):
    """Round by round, so that what slows the machine slows both."""
    return [a / b for a, b in zip(above, below)]


def have(*programs):
    return [p for p in programs if not shutil.which(p)]
