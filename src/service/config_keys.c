// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "address.h"
#include "config_inside.h"
#include "guess.h"
#include "mem.h"
#include "text.h"

/* inih keeps one byte less of a section's name than this, and says nothing. */
enum { SECTION_ROOM = 50, WHERE_SIZE = 300, SEEN_ROOM = 128 };

struct reader {
        struct config *config; /* borrowed */
        const char *file;      /* borrowed */
        size_t n_file;         /* which it is */
        const char *at, *end;  /* borrowed; what was not read yet */
        unsigned line;
        const struct section *section; /* borrowed, static; NULL: none, or one that is not known */
        size_t sr;                     /* of an [sr NAME]: which */
        bool was_said;                 /* that the section is wrong */
        VEC(char *) seen;              /* owned, and each: "section key" */
};

typedef void (*take_value)(struct reader *, const char *value);

struct key {
        const char *name; /* borrowed, static; NULL ends a table */
        take_value take;
        bool is_repeated;
};

struct section {
        const char *name;       /* borrowed, static; NULL ends the table */
        const struct key *keys; /* borrowed, static */
        bool has_name;          /* "sr main" */
};

static const char *where_of(const struct reader *r, char ret[WHERE_SIZE]) {
        snprintf(ret, WHERE_SIZE, "%s:%u", r->file, r->line);
        return ret;
}

#define complain(r, ...)                                                                                     \
        do {                                                                                                 \
                char where_[WHERE_SIZE];                                                                     \
                config_complain((r)->config, where_of(r, where_), __VA_ARGS__);                              \
        } while (0)

/* ---- values ---------------------------------------------------------------------------------- */

static void set_text(char **ret, char *taken) {
        free(*ret);
        *ret = taken;
}

static void take_path(struct reader *r, const char *value, char **ret) {
        const char *slash = strrchr(r->file, '/');

        if (!*value)
                complain(r, "a path is wanted");
        else if (*value == '/' || !slash)
                set_text(ret, mem_text(value));
        else
                set_text(ret, mem_format("%.*s/%s", (int)(slash - r->file), r->file, value));
}

static void take_bool(struct reader *r, const char *value, bool *ret) {
        if (strcmp(value, "yes") == 0 || strcmp(value, "on") == 0 || strcmp(value, "true") == 0)
                *ret = true;
        else if (strcmp(value, "no") == 0 || strcmp(value, "off") == 0 || strcmp(value, "false") == 0)
                *ret = false;
        else
                complain(r, "'%s' is neither yes nor no", value);
}

static void take_number(struct reader *r, const char *value, uint64_t max, uint64_t *ret) {
        uint64_t number;

        if (!text_parse_u64(value, &number) || number < 1 || number > max)
                complain(r, "'%s' is not a number from 1 to %llu", value, (unsigned long long)max);
        else
                *ret = number;
}

/* One of "a|b|c": which; -1: none of them. */
static int take_choice(struct reader *r, const char *value, const char *const *choices) {
        struct guess guess = {.word = value};
        char all[100] = "";

        for (int i = 0; choices[i]; i++) {
                if (strcmp(value, choices[i]) == 0)
                        return i;
                guess_try(&guess, choices[i]);
                snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", choices[i]);
        }
        if (guess.best)
                complain(r, "'%s' is none of %s; did you mean '%s'?", value, all, guess.best);
        else
                complain(r, "'%s' is none of %s", value, all);
        return -1;
}

/* What an earlier file said is forgotten. */
static void begin_list(const struct reader *r, struct config_listen *listen) {
        struct config_values *values = &listen->each;

        if (values->list.n == 0 || values->list.data[0].file == r->n_file)
                return;
        VEC_EACH (&values->list, each) {
                config_value_fini(each);
        }
        vec_fini(&values->list);
}

static void add_listen(struct reader *r, struct config_listen *listen, const char *word) {
        char where[WHERE_SIZE];
        struct address address;

        listen->is_off = strcmp(word, "none") == 0;
        if (listen->is_off)
                return;
        if (!address_parse(word, &address)) {
                complain(r, "'%s' is not HOST:PORT, [V6]:PORT or :PORT", word);
                return;
        }
        *vec_add(&listen->each.list) = (struct config_value){
                .text = mem_text(word), .where = mem_text(where_of(r, where)), .file = r->n_file};
}

static void take_listen(struct reader *r, const char *value, struct config_listen *listen) {
        begin_list(r, listen);
        if (!*value)
                complain(r, "an address is wanted, HOST:PORT, or none");
        while (*value) {
                size_t n = strcspn(value, " \t,");
                AUTO_FREE char *word = mem_format("%.*s", (int)n, value);

                if (n)
                        add_listen(r, listen, word);
                value += n;
                value += strspn(value, " \t,");
        }
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void take_state_dir(struct reader *r, const char *value) {
        take_path(r, value, &r->config->state_dir);
}

static void take_log(struct reader *r, const char *value) {
        static const char *const levels[] = {"error", "info", "debug", NULL};
        int level = take_choice(r, value, levels);

        if (level >= 0)
                r->config->log = (enum config_log)level;
}

static void take_address(struct reader *r, const char *value) {
        struct address unused;
        AUTO_FREE char *as_listened = mem_format(strchr(value, ':') ? "[%s]:0" : "%s:0", value);

        if (!*value || !address_parse(as_listened, &unused))
                complain(r, "'%s' is not the name or address of a host", value);
        else
                set_text(&r->config->address, mem_text(value));
}

static void take_http_listen(struct reader *r, const char *value) {
        take_listen(r, value, &r->config->http);
}

static void take_http_tls(struct reader *r, const char *value) {
        bool is_on = r->config->http.tls != CONFIG_TLS_OFF;

        take_bool(r, value, &is_on);
        r->config->http.tls = is_on ? CONFIG_TLS_REQUIRED : CONFIG_TLS_OFF;
}

static void take_certificate(struct reader *r, const char *value) {
        take_path(r, value, &r->config->certificate);
}

static void take_key(struct reader *r, const char *value) {
        take_path(r, value, &r->config->key);
}

static void take_http_connections(struct reader *r, const char *value) {
        take_number(r, value, CONFIG_CONNECTIONS_MAX, &r->config->http.n_connections);
}

static void take_http_allow_plain(struct reader *r, const char *value) {
        take_bool(r, value, &r->config->http.allows_plain);
}

static void take_nbd_listen(struct reader *r, const char *value) {
        take_listen(r, value, &r->config->nbd);
}

static void take_nbd_unix(struct reader *r, const char *value) {
        take_path(r, value, &r->config->nbd_unix);
}

static void take_nbd_tls(struct reader *r, const char *value) {
        static const char *const choices[] = {"off", "on", "required", NULL};
        int choice = take_choice(r, value, choices);

        if (choice >= 0)
                r->config->nbd.tls = (enum config_tls)choice;
}

static void take_nbd_connections(struct reader *r, const char *value) {
        take_number(r, value, 1024, &r->config->nbd.n_connections);
}

static void take_nbd_allow_plain(struct reader *r, const char *value) {
        take_bool(r, value, &r->config->nbd.allows_plain);
}

static void take_sr_dir(struct reader *r, const char *value) {
        take_path(r, value, &r->config->srs.data[r->sr].dir);
}

static void take_sr_create(struct reader *r, const char *value) {
        take_bool(r, value, &r->config->srs.data[r->sr].may_create);
}

static const struct key daemon_keys[] = {{"state-dir", take_state_dir, false},
                                         {"log", take_log, false},
                                         {"address", take_address, false},
                                         {0}};
static const struct key http_keys[] = {
        {"listen", take_http_listen, true},
        {"tls", take_http_tls, false},
        {"certificate", take_certificate, false},
        {"key", take_key, false},
        {"connections", take_http_connections, false},
        {"allow-plain", take_http_allow_plain, false},
        {0},
};
static const struct key nbd_keys[] = {
        {"listen", take_nbd_listen, false},
        {"unix", take_nbd_unix, false},
        {"tls", take_nbd_tls, false},
        {"connections", take_nbd_connections, false},
        {"allow-plain", take_nbd_allow_plain, false},
        {0},
};
static const struct key sr_keys[] = {{"dir", take_sr_dir, false}, {"create", take_sr_create, false}, {0}};

static const struct section sections[] = {
        {"daemon", daemon_keys, false},
        {"http", http_keys, false},
        {"nbd", nbd_keys, false},
        {"sr", sr_keys, true},
        {0},
};

static const struct key *find_key(const struct section *section, const char *name) {
        for (const struct key *key = section->keys; key->name; key++)
                if (strcmp(key->name, name) == 0)
                        return key;
        return NULL;
}

static void unknown_key(struct reader *r, const char *name) {
        struct guess guess = {.word = name};

        for (const struct key *key = r->section->keys; key->name; key++)
                guess_try(&guess, key->name);
        if (guess.best) {
                complain(r, "unknown key '%s' in [%s]; did you mean '%s'?", name, r->section->name,
                         guess.best);
                return;
        }
        for (const struct section *other = sections; other->name; other++) {
                if (!find_key(other, name))
                        continue;
                complain(r, "unknown key '%s' in [%s]; it belongs to [%s]", name, r->section->name,
                         other->name);
                return;
        }
        complain(r, "unknown key '%s' in [%s]", name, r->section->name);
}

/* Once in a file, said of the same thing. */
static bool is_new(struct reader *r, const struct key *key) {
        AUTO_FREE char *name =
                mem_format("%s %zu %s", r->section->name, r->section->has_name ? r->sr : 0, key->name);

        VEC_EACH (&r->seen, each) {
                if (strcmp(*each, name) == 0)
                        return false;
        }
        *vec_add(&r->seen) = TAKE(name);
        return true;
}

static int on_key(void *user, const char *section, const char *name, const char *value) {
        struct reader *r = user;
        const struct key *key;

        (void)section;
        if (!r->section) {
                if (!r->was_said)
                        complain(r, "'%s' stands in no section", name);
                return 1;
        }
        key = find_key(r->section, name);
        if (!key)
                unknown_key(r, name);
        else if (!is_new(r, key) && !key->is_repeated)
                complain(r, "'%s' is given twice", name);
        else
                key->take(r, value);
        return 1;
}

/* ---- sections -------------------------------------------------------------------------------- */

static bool is_sr_name(const char *name) {
        return *name && name[strcspn(name, "/\\\"' \t")] == '\0';
}

static void begin_sr(struct reader *r, const char *name) {
        struct config *config = r->config;
        char where[WHERE_SIZE];

        if (!is_sr_name(name)) {
                complain(r, "[sr NAME]: a name without blanks, quotes and slashes is wanted");
                r->section = NULL;
                return;
        }
        for (r->sr = 0; r->sr < config->srs.n; r->sr++)
                if (strcmp(config->srs.data[r->sr].name, name) == 0)
                        return;
        *vec_add(&config->srs) =
                (struct config_sr){.name = mem_text(name), .where = mem_text(where_of(r, where))};
}

static void unknown_section(struct reader *r, const char *name) {
        struct guess guess = {.word = name};

        for (const struct section *section = sections; section->name; section++)
                guess_try(&guess, section->name);
        if (guess.best)
                complain(r, "unknown section [%s]; did you mean [%s]?", name, guess.best);
        else
                complain(r, "unknown section [%s]", name);
}

static void begin_section(struct reader *r, const char *inside) {
        size_t n = strcspn(inside, " \t");
        AUTO_FREE char *name = mem_format("%.*s", (int)n, inside);
        const char *rest = inside + n + strspn(inside + n, " \t");

        r->section = NULL;
        r->was_said = true;
        for (const struct section *section = sections; section->name; section++)
                if (strcmp(section->name, name) == 0)
                        r->section = section;
        if (!r->section)
                unknown_section(r, name);
        else if (r->section->has_name)
                begin_sr(r, rest);
        else if (*rest)
                complain(r, "[%s] has no name of its own: '%s'", name, rest);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* inih takes a section's name on trust, and cuts it. */
static void look_for_section(struct reader *r, const char *line, size_t n) {
        const char *close = n && *line == '[' ? memchr(line, ']', n) : NULL;
        AUTO_FREE char *inside = NULL;

        if (!close)
                return;
        inside = mem_format("%.*s", (int)(close - line - 1), line + 1);
        if (strlen(inside) >= SECTION_ROOM) {
                complain(r, "the section's name is longer than %d bytes", SECTION_ROOM - 1);
                r->section = NULL;
                r->was_said = true;
                return;
        }
        begin_section(r, inside);
}

/* A line that inih would misread is told of, and is an empty one to it. */
static size_t usable(struct reader *r, const char *line, size_t n, size_t room) {
        if (memchr(line, '\0', n)) {
                complain(r, "this is not text");
                return 0;
        }
        if (n + 2 > room) {
                complain(r, "the line is longer than %zu bytes", room - 2);
                return 0;
        }
        return n;
}

/* Blanks in front would make it go on with the value of the line before. */
static char *read_line(char *ret, int room, void *stream) {
        struct reader *r = stream;
        const char *line = r->at, *newline;
        size_t n;

        if (r->at == r->end)
                return NULL;
        newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
        r->at = newline ? newline + 1 : r->end;
        n = (size_t)((newline ? newline : r->end) - line);
        r->line++;
        for (; n && (*line == ' ' || *line == '\t' || *line == '\r'); n--)
                line++;
        n = usable(r, line, n, (size_t)room);
        look_for_section(r, line, n);
        memcpy(ret, line, n);
        memcpy(ret + n, "\n", 2);
        return ret;
}

void config_take(struct config *config, const char *file, const char *text, size_t n) {
        struct reader r = {
                .config = config, .file = file, .n_file = config->files.n, .at = text, .end = text + n};
        int wrong_line;

        *vec_add(&config->files) = mem_text(file);
        if (n > CONFIG_FILE_MAX) {
                config_complain(config, file, "is longer than %d bytes", CONFIG_FILE_MAX);
                return;
        }
        wrong_line = ini_parse_stream(read_line, &r, on_key, &r);
        if (wrong_line > 0) {
                r.line = (unsigned)wrong_line;
                complain(&r, "neither a [section] nor key = value");
        }
        VEC_EACH (&r.seen, each) {
                free(*each);
        }
        vec_fini(&r.seen);
}
