#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The compiler and the linker refuse what src/LAYERS does not allow, tried with this build's own commands: an
include from a floor that may be used compiles, one from another does not; a call upward does not link."""
import glob
import json
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
sys.path.insert(0, os.path.join(TOP, 'tools'))
import tidy  # noqa: E402

with open(os.path.join(TOP, 'src', 'LAYERS')) as layers_file:
    LAYERS = tidy.read_layers(layers_file.read())


def compile_commands():
    """{floor: (folder, words)}: how this build compiles a source of that floor, without naming the source"""
    commands = {}
    with open(os.path.join(BUILD, 'compile_commands.json')) as f:
        for entry in json.load(f):
            path = os.path.relpath(os.path.join(entry['directory'], entry['file']), os.path.join(TOP, 'src'))
            floor = path.split(os.sep)[0]
            if floor in LAYERS and floor not in commands:
                words = shlex.split(entry['command'])
                for option in ('-o', '-MQ', '-MF'):
                    if option in words:
                        del words[words.index(option):words.index(option) + 2]
                words = [word for word in words if word not in (entry['file'], '-c', '-MD')]
                commands[floor] = (entry['directory'], words)
    return commands


COMPILE = compile_commands()


def header_of(floor):
    found = sorted(glob.glob(os.path.join(TOP, 'src', floor, '*.h')))
    return os.path.basename(found[0]) if found else None


def compiles(floor, header):
    folder, words = COMPILE[floor]
    text = '#include "%s"\nextern int planted;\n' % header
    with tempfile.NamedTemporaryFile('w', suffix='.c') as f:
        f.write(text)
        f.flush()
        return subprocess.run(words + ['-fsyntax-only', f.name], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)


def link_command(floor):
    """How this build links a floor whole, to another place; None while there is nothing in it."""
    listed = subprocess.run(['ninja', '-C', BUILD, '-t', 'commands', 'src/links_' + floor],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [line for line in listed.stdout.split('\n') if ' -o src/links_%s ' % floor in line]
    return shlex.split(lines[-1]) if lines else None


def function_of(floor):
    """A function that this floor has and others can call."""
    library = os.path.join(BUILD, 'src', 'libcatena_%s.a' % floor)
    if not os.path.exists(library):
        return None
    listed = subprocess.run(['nm', '-g', '--defined-only', library], stdout=subprocess.PIPE, text=True).stdout
    names = [line.split()[2] for line in listed.split('\n') if ' T ' in line]
    return sorted(names)[0] if names else None


class Compiler(unittest.TestCase):
    def test_a_header_of_a_floor_below_compiles(self):
        tried = 0
        for floor in COMPILE:
            for other in LAYERS[floor] | {floor}:
                if other in COMPILE and header_of(other):
                    done = compiles(floor, header_of(other))
                    self.assertEqual(done.returncode, 0, '%s includes %s: %s' % (floor, other, done.stdout))
                    tried += 1
        self.assertGreater(tried, 0)

    def test_a_header_of_any_other_floor_does_not(self):
        tried = 0
        for floor in COMPILE:
            for other in set(LAYERS) - LAYERS[floor] - {floor}:
                if header_of(other):
                    done = compiles(floor, header_of(other))
                    self.assertNotEqual(done.returncode, 0, '%s can include %s' % (floor, header_of(other)))
                    self.assertIn('No such file', done.stdout)
                    tried += 1
        self.assertGreater(tried, 0)


class Linker(unittest.TestCase):
    def link(self, floor, calls):
        """Links the floor whole as the build does, with one more file that calls this function."""
        command = link_command(floor)
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, 'planted.c')
            with open(source, 'w') as f:
                f.write('void %s(void);\nvoid planted(void);\n' % calls)
                f.write('void planted(void) {\n        %s();\n}\n' % calls)
            command[command.index('-o') + 1] = os.path.join(folder, 'planted')
            return subprocess.run(command + [source, '-fno-builtin'], cwd=BUILD, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)

    def test_a_call_within_the_floor_or_down_links(self):
        tried = 0
        for floor in COMPILE:
            if link_command(floor) and function_of(floor):
                done = self.link(floor, function_of(floor))
                self.assertEqual(done.returncode, 0, done.stdout)
                tried += 1
        self.assertGreater(tried, 0)

    def test_a_call_upward_does_not_link(self):
        tried = 0
        for floor in COMPILE:
            for other in set(LAYERS) - LAYERS[floor] - {floor}:
                name = function_of(other)
                if link_command(floor) and name:
                    done = self.link(floor, name)
                    self.assertNotEqual(done.returncode, 0, '%s can call %s of %s' % (floor, name, other))
                    self.assertIn('undefined reference to `%s\'' % name, done.stdout)
                    tried += 1
        self.assertGreater(tried, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
