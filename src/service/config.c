// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "buf.h"
#include "config_inside.h"
#include "text.h"

void config_init(struct config *config) {
        *config = (struct config){
                .log = CONFIG_LOG_INFO, .http = {.tls = CONFIG_TLS_REQUIRED}, .nbd = {.tls = CONFIG_TLS_ON}};
}

void config_value_fini(struct config_value *value) {
        free(value->text);
        free(value->where);
}

static void listen_fini(struct config_listen *listen) {
        VEC_EACH (&listen->each.list, each) {
                config_value_fini(each);
        }
        vec_fini(&listen->each.list);
}

void config_fini(struct config *config) {
        listen_fini(&config->http);
        listen_fini(&config->nbd);
        VEC_EACH (&config->srs, sr) {
                free(sr->name);
                free(sr->where);
                free(sr->dir);
        }
        vec_fini(&config->srs);
        VEC_EACH (&config->errors, each) {
                free(*each);
        }
        vec_fini(&config->errors);
        VEC_EACH (&config->files, each) {
                free(*each);
        }
        vec_fini(&config->files);
        free(TAKE(config->state_dir));
        free(TAKE(config->address));
        free(TAKE(config->certificate));
        free(TAKE(config->key));
        free(TAKE(config->nbd_unix));
}

void config_complain(struct config *config, const char *where, const char *fmt, ...) {
        char text[ERR_TEXT_SIZE];
        va_list args;

        if (config->errors.n >= CONFIG_ERRORS_MAX)
                return;
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        *vec_add(&config->errors) = mem_format("%s: %s", where, text);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* In the open, and reached from elsewhere. */
static void check_plain(struct config *config, const struct config_listen *listen, const char *advice) {
        if (listen->tls == CONFIG_TLS_REQUIRED || listen->allows_plain)
                return;
        VEC_EACH (&listen->each.list, each) {
                struct address address;

                if (address_parse(each->text, &address) && !address_is_loopback(&address))
                        config_complain(
                                config, each->where,
                                "other hosts reach %s, and whatever goes there can be read on the way: "
                                "%s, or allow-plain = yes if that is meant",
                                each->text, advice);
        }
}

static void check_srs(struct config *config) {
        for (size_t i = 0; i < config->srs.n; i++) {
                const struct config_sr *sr = &config->srs.data[i];

                if (!sr->dir)
                        config_complain(config, sr->where, "[sr %s] has no dir", sr->name);
                for (size_t j = 0; sr->dir && j < i; j++) {
                        const struct config_sr *other = &config->srs.data[j];

                        if (other->dir && strcmp(sr->dir, other->dir) == 0)
                                config_complain(config, sr->where, "[sr %s] and [sr %s] are of one dir, %s",
                                                sr->name, other->name, sr->dir);
                }
        }
}

void config_settle(struct config *config) {
        const char *of_all = config->files.n ? config->files.data[0] : "configuration";

        check_plain(config, &config->http, "tls = on");
        check_plain(config, &config->nbd, "tls = required");
        if (!config->certificate != !config->key)
                config_complain(config, of_all, "certificate and key go together: %s is missing",
                                config->key ? "certificate" : "key");
        check_srs(config);
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool is_same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_listen(const struct config_listen *a, const struct config_listen *b) {
        bool is_same = a->is_off == b->is_off && a->tls == b->tls && a->n_connections == b->n_connections &&
                       a->each.list.n == b->each.list.n;

        for (size_t i = 0; is_same && i < a->each.list.n; i++)
                is_same = strcmp(a->each.list.data[i].text, b->each.list.data[i].text) == 0;
        return is_same;
}

static const struct config_sr *find_sr(const struct config *config, const char *name) {
        for (size_t i = 0; i < config->srs.n; i++)
                if (strcmp(config->srs.data[i].name, name) == 0)
                        return &config->srs.data[i];
        return NULL;
}

static void add_name(struct buf *names, const char *kind, const char *name) {
        buf_print(names, "%s[%s%s%s]", names->n ? ", " : "", kind, *name ? " " : "", name);
}

/* Those of `of` that the other lacks, or has elsewhere. */
static void add_srs(struct buf *names, const struct config *of, const struct config *other, bool with_moved) {
        for (size_t i = 0; i < of->srs.n; i++) {
                const struct config_sr *sr = &of->srs.data[i], *same = find_sr(other, sr->name);

                if (!same || (with_moved && !is_same_text(sr->dir, same->dir)))
                        add_name(names, "sr", sr->name);
        }
}

char *config_needs_restart(const struct config *old, const struct config *now) {
        AUTO(buf_fini) struct buf names = {0};

        if (!is_same_text(old->state_dir, now->state_dir) || !is_same_text(old->address, now->address))
                add_name(&names, "daemon", "");
        if (!is_same_listen(&old->http, &now->http))
                add_name(&names, "http", "");
        if (!is_same_listen(&old->nbd, &now->nbd) || !is_same_text(old->nbd_unix, now->nbd_unix))
                add_name(&names, "nbd", "");
        add_srs(&names, old, now, true);
        add_srs(&names, now, old, false);
        return names.n ? mem_text(buf_text(&names)) : NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum err take_file(struct io *io, const char *path, struct config *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf text = {0};
        struct io_stat stat;
        size_t n;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory || stat.size > CONFIG_FILE_MAX)
                return err_set(note, ERR_INVALID, "%s: a file of at most %d bytes is wanted", path,
                               CONFIG_FILE_MAX);
        n = (size_t)stat.size;
        if (n && io_read(file, buf_extend(&text, n), n, 0, note))
                return err_wrap(note, "read %s", path);
        config_take(ret, path, n ? (const char *)text.data : "", n);
        return ERR_NONE;
}

static enum err take_folder(struct io *io, const char *folder, struct config *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};
        enum err failed = io_list(io, folder, &names, note);

        if (failed)
                return failed == ERR_NOT_FOUND ? ERR_NONE : failed;
        VEC_EACH (&names.names, name) {
                AUTO_FREE char *path = mem_format("%s/%s", folder, *name);

                if (text_ends_with(*name, ".conf") && **name != '.' && take_file(io, path, ret, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err config_read(struct io *io, const char *path, struct config *ret, struct err_note *note) {
        const char *slash = strrchr(path, '/');
        AUTO_FREE char *beside =
                slash ? mem_format("%.*s/conf.d", (int)(slash - path), path) : mem_text("conf.d");
        AUTO_FREE char *own = mem_format("%s.d", path);

        config_init(ret);
        if (take_file(io, path, ret, note) || take_folder(io, beside, ret, note) ||
            take_folder(io, own, ret, note))
                return note->code;
        config_settle(ret);
        if (ret->errors.n > 1)
                return err_set(note, ERR_INVALID, "%s; and %zu more: 'catena config check %s' says all",
                               ret->errors.data[0], ret->errors.n - 1, path);
        return ret->errors.n ? err_set(note, ERR_INVALID, "%s", ret->errors.data[0]) : ERR_NONE;
}
