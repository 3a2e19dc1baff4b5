#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/tidy.py complains about each kind of planted violation, and about nothing in a clean tree."""
import os
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tools'))
import tidy  # noqa: E402

SPDX = '// SPDX-License-Identifier: Apache-2.0\n'
CLEAN = {
    'src/LAYERS': '# floors\nbase:\nlow: base\nhigh: base low\n',
    'src/base/box.h': SPDX + '/* A box.  Threads: any. */\nstruct box {\n        int n;\n};\n',
    'src/low/cup.h': SPDX + '''/* A cup.
 *
 * Threads: its owner's.
 */
#include "box.h"

struct cup_ops {
        const char *kind;
        int *(*fill)(struct cup *, const char *text);
};

struct cup {
        struct box *box;         /* owned */
        /* borrowed from the table,
         * which outlives us */
        const struct cup_ops *ops;
        char *text; /* a long comment that says at last whose it
                     * is: shared, counted */
        struct {
                void *user; /* borrowed */
        } caller;
        VEC(struct cup *) cups; // owned, and each cup
        unsigned char bits[8 * 4];
};
''',
    'src/low/cup.c': SPDX + '''#include "cup.h"

static const struct {
        const char *name;
        int n;
} rows[] = {{"a", 1}};

struct row {
        const char *name;
};
static const struct row others[] = {{"time() and open() are words here"}};

/* open() in a comment is no call, and /x* is no pointer */
int cup_open(struct cup *c) {
        return c->ops->open(c) + reopen(c);
}
''',
    'src/low/meson.build': "# SPDX-License-Identifier: Apache-2.0\nsources = files('cup.c')\n",
    'src/high/shelf.h': SPDX + '/* A shelf.  Threads: any. */\n#include "cup.h"\n',
    'src/high/shelf.c': SPDX + '#include "shelf.h"\n\ntypedef struct { uint8_t b[4]; } be32;\n'
                               'typedef struct cup *shelf_fn(struct cup *);\n',
    'src/high/meson.build': "# SPDX-License-Identifier: Apache-2.0\nsources = files('shelf.c')\n",
    'test/unit/low/test_cup.c': SPDX,
    'test/unit/low/meson.build': "# SPDX-License-Identifier: Apache-2.0\nunit_tests = ['cup']\n",
    'test/unit/high/test_shelf.c': SPDX,
    'test/unit/high/meson.build': "# SPDX-License-Identifier: Apache-2.0\nunit_tests = ['shelf']\n",
    'tools/x.sh': '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n',
}


# The trees here know none of the exceptions of the real one.
tidy.FOR_NOW = None
tidy.TESTED_ELSEWHERE, tidy.SEAM_EXCEPTIONS = {}, {}


def complaints_of(files):
    with tempfile.TemporaryDirectory() as top:
        for path, text in files.items():
            full = os.path.join(top, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w') as f:
                f.write(text)
        return tidy.complaints(top)


class Tidy(unittest.TestCase):
    def assert_clean(self, path, text):
        """The tree with this text added to that file stays clean."""
        files = dict(CLEAN)
        files[path] = files.get(path, SPDX) + text
        self.assertEqual(complaints_of(files), [])

    def assert_complains(self, path, text, *words):
        """The tree with this text added to that file gets one complaint, about it, with these words."""
        files = dict(CLEAN)
        files[path] = files.get(path, SPDX) + text
        found = complaints_of(files)
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_clean_tree_gets_no_complaint(self):
        self.assertEqual(complaints_of(CLEAN), [])

    def test_an_include_from_above_is_named_with_its_floor(self):
        self.assert_complains('src/low/cup.c', '#include "shelf.h"\n', 'src/low/cup.c:18:', 'the floor high',
                              'low may use only: base')

    def test_an_include_of_nothing_and_one_with_a_path(self):
        self.assert_complains('src/low/cup.c', '#include "saucer.h"\n', 'no folder of src has a header')
        self.assert_complains('src/high/shelf.c', '#include "../low/cup.h"\n', 'includes are flat')

    def test_a_folder_needs_a_line_in_layers(self):
        self.assert_complains('src/LAYERS', 'odd: cellar\n', 'no line for cellar')
        files = dict(CLEAN, **{'src/cellar/wine.h': SPDX + '/* Threads: any. */\n'})
        self.assertIn('the folder cellar has no line in src/LAYERS', complaints_of(files)[0])

    def test_two_headers_of_one_name(self):
        self.assert_complains('src/high/box.h', '/* Threads: any. */\n', 'has a header of that name too')

    def test_files_clock_and_dice_belong_to_io(self):
        self.assert_complains('src/low/cup.c', '#include <fcntl.h>\n', 'only through io.h')
        self.assert_complains('src/low/cup.c', 'int x(void) { return open("a"); }\n', 'calls open()')
        self.assert_complains('src/low/cup.c', 'int x(void) { return rand(); }\n', 'calls rand()')

    def test_a_source_without_its_licence_line(self):
        files = dict(CLEAN, **{'tools/x.sh': '#!/bin/sh\necho\n'})
        self.assertIn('tools/x.sh:1: has no line "SPDX', complaints_of(files)[0])

    def test_a_wide_line_and_blanks_at_the_end(self):
        self.assert_clean('src/low/cup.c', '//' + 'x' * 108 + '\n')
        self.assert_complains('src/low/cup.c', '//' + 'x' * 109 + '\n', 'is 111 columns wide')
        self.assert_complains('src/low/cup.c', 'int x; \n', 'ends in blanks')

    def test_a_header_that_does_not_say_who_may_call(self):
        files = dict(CLEAN)
        files['src/high/shelf.h'] = files['src/high/shelf.h'].replace('Threads: any.', 'Threads are nice.')
        self.assertIn('src/high/shelf.h:1: does not say who may call it', complaints_of(files)[0])

    def test_a_pointer_without_an_owner(self):
        for member in ('char *p;', 'char *p; /* the text */', 'struct { char *p; } in;', 'VEC(char *) p;',
                       'const char *p;', 'char **p[4];'):
            text = 'struct jug {\n        %s\n};\n' % member
            self.assert_complains('src/low/cup.c', text, 'whose this pointer is')

    def test_an_owner_next_door_does_not_count(self):
        text = 'struct jug {\n        char *a; /* owned */\n        char *b;\n};\n'
        self.assert_complains('src/low/cup.c', text, 'to "char *b;"')
        text = 'struct jug {\n        char *a;\n        char *b; /* owned */\n};\n'
        self.assert_complains('src/low/cup.c', text, 'to "char *a;"')

    def test_a_source_without_a_test(self):
        files = dict(CLEAN)
        del files['test/unit/low/test_cup.c']
        self.assertIn('please write test/unit/low/test_cup.c', complaints_of(files)[0])

    def test_an_exception_counts_until_it_is_not_needed(self):
        files = dict(CLEAN)
        del files['test/unit/low/test_cup.c']
        self.addCleanup(tidy.TESTED_ELSEWHERE.clear)
        self.addCleanup(tidy.SEAM_EXCEPTIONS.clear)
        tidy.TESTED_ELSEWHERE['src/low/cup.c'] = 'its shelf'
        self.assertEqual(complaints_of(files), [])
        self.assertIn('it has a test now', complaints_of(CLEAN)[0])
        tidy.TESTED_ELSEWHERE.clear()
        tidy.SEAM_EXCEPTIONS['src/low/cup.c: <time.h>'] = 'a clock of its own'
        self.assert_clean('src/low/cup.c', '#include <time.h>\n')
        self.assertIn('is not used', complaints_of(CLEAN)[0])

    def test_a_dead_file(self):
        self.assert_complains('test/sim/old.c', '', 'test/sim/old.c:1: no meson.build builds this file')
        self.assert_complains('src/low/old.h', '/* Threads: any. */\n', 'nobody includes this header')

    def test_places_and_hosts(self):
        self.assert_complains('tools/x.sh', 'cd /ho' 'me/me\n', 'somebody\'s machine')
        self.assert_complains('tools/x.sh', 'curl https://py' 'pi.org\n', 'packages come from')

    def test_habits(self):
        self.assert_complains('src/low/cup.c', 'const char *built = __DATE__;\n', 'no two builds are equal')
        self.assert_complains('src/low/cup.c', 'int x(void) { return atoi("7"); }\n', 'calls atoi()')
        self.assert_complains('src/low/cup.c', 'typedef struct cup cup_t;\n', 'a typedef hides')
        self.assert_complains('src/low/cup.c', 'typedef enum { A, B } cup_state;\n', 'a typedef hides')

    def test_a_skip_without_a_word(self):
        self.assert_complains('test/unit/low/test_cup.c', 'void x(void) { skip(); }\n', 'skip_because')

    def test_documents_speak_of_what_is_there(self):
        text = 'See `src/low/cup.c`, [here](tools/x.sh), `src/<floor>/` and `test/*.c`.\n'
        self.assert_clean('READ.md', text)
        self.assert_complains('READ.md', 'See `src/low/jug.c`.\n', 'READ.md:2: speaks of src/low/jug.c')
        self.assert_complains('docs/READ.md', '[here](../tools/y.sh)\n', 'tools/y.sh, which is not there')

    def test_a_library_needs_a_reason(self):
        files = dict(CLEAN, **{'HACKING.md': '| sqlite3 | tables | transactions |\n'})
        for name in ('threads', 'sqlite3', 'libxml'):
            files['src/low/meson.build'] += "dependency('%s')\n" % name
        self.assertEqual(complaints_of(files), ['src/low/meson.build: uses libxml; please say for what, and '
                                                'why this one, in the table of HACKING.md'])

    def test_long_functions_are_listed(self):
        text = SPDX + 'int x(void) {\n' + '        y();\n' * 61 + '}\n'
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(top + '/src/low')
            with open(top + '/src/low/x.c', 'w') as f:
                f.write(text)
            self.assertEqual(list(tidy.long_functions(tidy.Tree(top))), ['src/low/x.c:2: x is 61 lines long'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
