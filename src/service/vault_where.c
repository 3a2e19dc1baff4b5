// SPDX-License-Identifier: Apache-2.0
#include "vault_where.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "s3_credentials.h"
#include "target_dir.h"
#include "target_limit.h"
#include "target_retry.h"
#include "target_s3.h"
#include "text.h"

#define S3_SCHEME "s3://"

/* ---- buckets --------------------------------------------------------------------------------- */

/* Of "s3://bucket/a/b": both, owned by the caller; a slash at the end is none of the prefix. */
static enum err split(struct verb_call *call, const char *where, char **ret_bucket, char **ret_prefix,
                      struct err_note *note) {
        const char *bucket = where + strlen(S3_SCHEME), *slash = strchr(bucket, '/');
        size_t n = slash ? (size_t)(slash - bucket) : strlen(bucket);

        if (n < 3 || n > 63)
                return call_usage(call, note, "%s: the name of a bucket has 3 to 63 characters", where);
        for (size_t i = 0; i < n; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", bucket[i]))
                        return call_usage(call, note, "%s: no bucket can have that name", where);
        *ret_bucket = mem_format("%.*s", (int)n, bucket);
        *ret_prefix = mem_text(slash ? slash + 1 : "");
        while (text_ends_with(*ret_prefix, "/"))
                (*ret_prefix)[strlen(*ret_prefix) - 1] = 0;
        return ERR_NONE;
}

static bool is_in_path(const struct verb_call *call) {
        const char *style = call_text(call, "s3-style");

        return style ? strcmp(style, "path") == 0 : call_has(call, "s3-endpoint");
}

static enum err open_bucket(struct verb_call *call, const char *where, struct target **ret,
                            struct err_note *note) {
        AUTO(s3_credentials_fini) struct s3_credentials credentials = {0};
        AUTO_FREE char *bucket = NULL;
        AUTO_FREE char *prefix = NULL;
        AUTO_FREE char *usual = mem_format("https://s3.%s.amazonaws.com", call_text(call, "s3-region"));
        struct target_s3_options options = {.client = {.endpoint = call_text(call, "s3-endpoint"),
                                                       .region = call_text(call, "s3-region"),
                                                       .ca_file = call_text(call, "s3-ca"),
                                                       .is_in_path = is_in_path(call),
                                                       .credentials = &credentials}};

        if (split(call, where, &bucket, &prefix, note) ||
            s3_credentials_find(call->io, call_text(call, "s3-credentials"), &credentials, note))
                return note->code;
        if (!options.client.endpoint)
                options.client.endpoint = usual;
        options.client.bucket = bucket;
        options.prefix = prefix;
        if (call_number(call, "s3-part") < 5 * MIB || call_number(call, "s3-part") > 1024 * MIB)
                return call_usage(call, note, "--s3-part is 5M to 1G");
        options.part_size = call_number(call, "s3-part");
        if (call_has(call, "s3-lock"))
                options.lock_seconds = call_number(call, "s3-lock") * 86400;
        *ret = target_s3_new(call->io, &options);
        return ERR_NONE;
}

/* Whether somebody answers, and has that bucket: nothing lies below such a name. */
static enum err find_bucket(struct target *target, struct err_note *note) {
        AUTO(target_list_fini) struct target_list nothing = {0};

        return target_list(target, "is-there/", &nothing, note) ? err_wrap(note, "open %s", target->where)
                                                                : ERR_NONE;
}

/* ---- patience -------------------------------------------------------------------------------- */

static void say_waiting(void *user, const char *why, uint64_t wait_ns) {
        struct verb_call *call = user;
        AUTO_FREE char *line = mem_format("the target fails: %s; trying again in %" PRIu64 ".%" PRIu64 " s",
                                          why, wait_ns / 1000000000, wait_ns / 100000000 % 10);

        progress_say(call->progress, line);
}

/* target, or one that keeps to its limits. */
static struct target *limited(struct verb_call *call, struct target *target) {
        const struct target_limit_options options = {
                .up = call_has(call, "limit-up") ? call_number(call, "limit-up") : 0,
                .down = call_has(call, "limit-down") ? call_number(call, "limit-down") : 0,
                .stop = call->progress->is_cancelled};

        return options.up || options.down ? target_limit_new(call->io, target, &options) : target;
}

enum err vault_where_open(struct verb_call *call, const char *where, bool may_make, struct target **ret,
                          struct err_note *note) {
        const struct target_retry_options options = {.patience_ns =
                                                             call_number(call, "patience") * 1000000000,
                                                     .waits = say_waiting,
                                                     .user = call,
                                                     .stop = call->progress->is_cancelled};
        AUTO(target_close) struct target *patient = NULL;
        struct target *target;
        bool is_bucket = strncmp(where, S3_SCHEME, strlen(S3_SCHEME)) == 0;

        if (is_bucket  ? open_bucket(call, where, &target, note)
            : may_make ? target_dir_create(call->io, where, &target, note)
                       : target_dir_open(call->io, where, &target, note))
                return note->code;
        patient = target_retry_new(call->io, limited(call, target), &options);
        if (is_bucket && find_bucket(patient, note))
                return note->code;
        *ret = TAKE(patient);
        return ERR_NONE;
}
