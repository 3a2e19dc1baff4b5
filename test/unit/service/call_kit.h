// SPDX-License-Identifier: Apache-2.0
/* Calls of verbs on a simulated machine, as the command makes them: words in, JSON out.
 *
 * Errors: each ends the test, unless the function says otherwise.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_CALL_KIT_H
#define TEST_UNIT_SERVICE_CALL_KIT_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "verbs.h"

#define KIT_STATE "/state"

/* params: JSON with ' for ".  *ret_result is the caller's, also after an error: what there was of it. */
UNUSED static enum err kit_try(struct io *io, const char *noun, const char *verb, const char *params,
                               json_t **ret_result, enum verb_outcome *ret_outcome, struct err_note *note) {
        AUTO_FREE char *text = mem_text(params);
        AUTO(io_close) struct io_file *input = NULL, *output = NULL;
        struct progress progress = {.io = io};
        struct verb_call call = {.io = io, .state_dir = KIT_STATE, .progress = &progress};
        AUTO(json_decref) json_t *given = NULL;
        enum err failed;

        for (char *at = text; *at; at++)
                *at = *at == '\'' ? '"' : *at;
        given = json_loads(text, 0, NULL);
        assert_non_null(given);
        call.params = given;
        call.verb = verbs_find(verbs_find_noun(noun), verb);
        assert_non_null(call.verb);
        if (io_open_standard(io, IO_STDIN, &input, note) || io_open_standard(io, IO_STDOUT, &output, note))
                return note->code;
        call.input = input;
        call.output = output;
        failed = verb_call_run(&call, note);
        *ret_result = call.result;
        *ret_outcome = call.outcome;
        return failed;
}

UNUSED static json_t *kit_call(struct io *io, const char *noun, const char *verb, const char *params) {
        struct err_note note = {0};
        enum verb_outcome outcome;
        json_t *result = NULL;

        assert_ok(kit_try(io, noun, verb, params, &result, &outcome, &note));
        return result;
}

/* Only whether it works. */
UNUSED static void kit_do(struct io *io, const char *noun, const char *verb, const char *params) {
        json_decref(kit_call(io, noun, verb, params));
}

UNUSED static enum err kit_fails(struct io *io, const char *noun, const char *verb, const char *params,
                                 struct err_note *note) {
        enum verb_outcome outcome;
        json_t *result = NULL;
        enum err failed = kit_try(io, noun, verb, params, &result, &outcome, note);

        json_decref(result);
        return failed;
}

UNUSED static void kit_put_file(struct io *io, const char *path, const void *data, size_t n) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(io, path, IO_WRITE | IO_CREATE, &file, &note));
        if (n)
                assert_ok(io_write(file, data, n, 0, &note));
        assert_ok(io_sync(file, &note));
}

/* The caller's to free. */
UNUSED static uint8_t *kit_get_file(struct io *io, const char *path, size_t *ret_n) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};
        struct io_stat stat;
        uint8_t *data;

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        data = mem_zero((size_t)stat.size + 1);
        if (stat.size)
                assert_ok(io_read(file, data, (size_t)stat.size, 0, &note));
        *ret_n = (size_t)stat.size;
        return data;
}

UNUSED static bool kit_is_there(struct io *io, const char *path) {
        struct err_note note;
        struct io_stat stat;

        return io_stat_path(io, path, &stat, &note) == ERR_NONE;
}

UNUSED static size_t kit_count_names(struct io *io, const char *path) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note = {0};

        assert_ok(io_list(io, path, &names, &note));
        return names.names.n;
}

#endif
