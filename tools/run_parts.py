# SPDX-License-Identifier: Apache-2.0
"""What the parts of tools/run have in common: what people see, and the programs that run for it."""
import contextlib
import os
import shlex
import subprocess
import sys
import time

MIB = 1 << 20


class Failed(Exception):
    """What went wrong, for people."""


# ---- what people see ---------------------------------------------------------------------------


def size_text(n):
    for unit in ('bytes', 'KiB', 'MiB'):
        if n < 1024:
            return '%d %s' % (n, unit) if unit == 'bytes' else '%.1f %s' % (n, unit)
        n /= 1024
    return '%.2f GiB' % n


class Step:
    """One line of the table at the end."""

    def __init__(self, title):
        self.title = title
        self.size = None  # bytes; None: the step moves none worth counting
        self.seconds = 0


class Show:
    def __init__(self):
        on_terminal = sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb'
        self.colours = on_terminal and not os.environ.get('NO_COLOR')
        self.steps = []

    def colour(self, code, text):
        return '\033[%sm%s\033[0m' % (code, text) if self.colours else text

    def say(self, text=''):
        print(text, flush=True)

    def command(self, words):
        self.say(self.colour('2', '      $ ' + ' '.join(shlex.quote(word) for word in words)))

    @contextlib.contextmanager
    def step(self, title):
        step = Step(title)
        self.steps.append(step)
        self.say('%s %s' % (self.colour('1', '%4d ' % len(self.steps)), self.colour('1', title)))
        began = time.monotonic()
        yield step
        step.seconds = time.monotonic() - began

    def told(self, text):
        self.say('      ' + text)

    def table(self):
        """The table's lines, for the terminal and for the file that keeps them."""
        lines = ['%-44s %11s %9s %13s' % ('', 'size', 'seconds', 'rate')]
        for step in self.steps:
            rate = size_text(step.size / max(step.seconds, 1e-3)) + '/s' if step.size else ''
            size = size_text(step.size) if step.size is not None else ''
            lines.append('%-44s %11s %9.1f %13s' % (step.title, size, step.seconds, rate))
        lines.append('%-44s %11s %9.1f' % ('all', '', sum(step.seconds for step in self.steps)))
        return lines


# ---- programs ----------------------------------------------------------------------------------


def birth_of(pid):
    """When a process began, in the kernel's ticks: with the pid, it names one for good. None: it ended."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            fields = f.read().rpartition(')')[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] == 'Z' else fields[19]


class Children:
    """The programs that run for us. They end with us: a signal that comes while one is being started waits
    until there is somebody to pass it on to."""

    def __init__(self):
        self.running = []
        self.is_starting = False
        self.asked = None  # the signal that waits

    def start(self, command, **how):
        self.is_starting = True
        try:
            process = subprocess.Popen(command, **how)
            self.running = [each for each in self.running if each.returncode is None] + [process]
        finally:
            self.is_starting = False
        if self.asked:
            self.stop(self.asked, None)
        return process

    def run(self, command, data=None, **how):
        """Runs it to its end: (exit status, what it printed, its errors where they were asked for)."""
        source = subprocess.DEVNULL if data is None else subprocess.PIPE
        with self.start(command, stdin=source, **how) as process:
            said, errors = process.communicate(data)
        return process.returncode, said, errors

    def stop(self, number, _frame):
        """The handler of signals."""
        self.asked = number
        if self.is_starting:
            return
        for process in self.running:
            if process.poll() is None:
                process.send_signal(number)
        raise Failed('stopped by signal %d' % number)


CHILDREN = Children()
