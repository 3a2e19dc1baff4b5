// SPDX-License-Identifier: Apache-2.0
#include "vhd_verbs.h"

#include <string.h>

#include "convert.h"

/* ---- convert ---- */

static const struct param convert_params[] = {
        {.name = "source",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "SOURCE",
         .help = "A VHD, whose parents are followed, or a raw file or device."},
        {.name = "file",
         .kind = PARAM_PATH,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "TARGET",
         .help = "The file to make. One that is there is replaced when the new one is whole."},
        {.name = "format",
         .kind = PARAM_CHOICE,
         .choices = "vhd|fixed|raw",
         .help = "Of the target: a dynamic VHD, a fixed VHD, raw. Where not given: vhd for *.vhd, else raw."},
        {.name = "from",
         .kind = PARAM_CHOICE,
         .choices = "vhd|raw",
         .help = "Of the source. Where not given: vhd for *.vhd, else raw; content is never asked."},
        {.name = "full",
         .kind = PARAM_FLAG,
         .help = "Writes zeros too, so that a fixed VHD or raw file has all its space."},
        {.name = "cached", .kind = PARAM_FLAG, .help = "Writes through the page cache too."},
        {.name = "direct", .kind = PARAM_FLAG, .help = "Reads past the page cache too."},
        {.name = "force", .kind = PARAM_FLAG, .help = "Begins although there seems to be too little space."},
        {.name = "uuid",
         .kind = PARAM_UUID,
         .help = "Uuid in the new VHD's footer (a fresh one where not given)."},
        {0},
};

static const struct field convert_fields[] = {
        {"file", FIELD_TEXT, "the target", false},
        {"format", FIELD_TEXT, "vhd, fixed or raw", false},
        {"uuid", FIELD_UUID, "of the new VHD; null for raw", false},
        {"size", FIELD_SIZE, "of the disk, bytes", false},
        {"read", FIELD_SIZE, "bytes that were read", false},
        {"written", FIELD_SIZE, "bytes of data that were written; zeros are not", false},
        {0},
};

static enum err show_convert(void *user, uint64_t done, uint64_t total, struct err_note *note) {
        struct progress *progress = user;

        progress->total = total;
        return progress_step(progress, done, note);
}

static enum convert_format convert_format_of(const struct verb_call *call) {
        const char *format = call_text(call, "format");

        if (!format)
                return image_kind_of_path(call_text(call, "file")) == IMAGE_VHD ? CONVERT_VHD : CONVERT_RAW;
        return strcmp(format, "vhd") == 0     ? CONVERT_VHD
               : strcmp(format, "fixed") == 0 ? CONVERT_FIXED
                                              : CONVERT_RAW;
}

static enum err convert_from_chain(struct verb_call *call, const struct convert_options *options,
                                   struct convert_result *ret, struct err_note *note) {
        struct images images;
        struct chain *chain = NULL;
        enum err failed;

        images_init(&images, call->io, &(struct images_options){.is_read_only = true});
        failed = chain_open(&images, call_text(call, "source"), CHAIN_READ, &chain, note);
        if (!failed)
                failed = convert_chain(call->io, chain, call_text(call, "file"), options, ret, note);
        if (chain)
                chain_abandon(chain);
        images_fini(&images);
        return failed;
}

static enum err convert_any(struct verb_call *call, const struct convert_options *options,
                            struct convert_result *ret, struct err_note *note) {
        const char *source = call_text(call, "source"), *from = call_text(call, "from");
        bool is_vhd = from ? strcmp(from, "vhd") == 0 : image_kind_of_path(source) == IMAGE_VHD;

        return is_vhd ? convert_from_chain(call, options, ret, note)
                      : convert_raw(call->io, source, call_text(call, "file"), options, ret, note);
}

static enum err run_convert(struct verb_call *call, struct err_note *note) {
        struct convert_options options = {.format = convert_format_of(call),
                                          .cache = call_flag(call, "direct")   ? CONVERT_DIRECT
                                                   : call_flag(call, "cached") ? CONVERT_CACHED
                                                                               : CONVERT_CACHE_AUTO,
                                          .is_full = call_flag(call, "full"),
                                          .may_replace = true,
                                          .ignore_space = call_flag(call, "force"),
                                          .progress = show_convert,
                                          .user = call->progress};
        static const char *const names[] = {
                [CONVERT_VHD] = "vhd", [CONVERT_FIXED] = "fixed", [CONVERT_RAW] = "raw"};
        struct convert_result result = {0};

        if (call_has(call, "uuid") && !uuid_parse(call_text(call, "uuid"), &options.uuid))
                return call_usage(call, note, "--uuid is not a uuid");
        if (call_flag(call, "direct") && call_flag(call, "cached"))
                return call_usage(call, note, "--direct and --cached exclude each other");
        progress_begin(call->progress, "convert", 0);
        if (convert_any(call, &options, &result, note))
                return err_wrap(note, "convert %s to %s", call_text(call, "source"), call_text(call, "file"));
        progress_end(call->progress);
        call_put(call, "file", json_of_text(call_text(call, "file")));
        call_put(call, "format", json_string(names[options.format]));
        call_put(call, "uuid",
                 options.format == CONVERT_RAW ? json_null() : json_string(uuid_format(&result.uuid).s));
        call_put(call, "size", json_of_u64(result.size));
        call_put(call, "read", json_of_u64(result.read));
        call_put(call, "written", json_of_u64(result.written));
        return ERR_NONE;
}

const struct verb vhd_convert_verb = {
        .name = "convert",
        .summary = "Copies a disk into a file of its own.",
        .details = "The target has no parent, whatever the source has. What the source does not hold and "
                   "what is zeros is neither read nor written. The target is synced; it appears when it is "
                   "whole, and is removed where anything fails.",
        .params = convert_params,
        .shape = SHAPE_NOTHING,
        .fields = convert_fields,
        .run = run_convert,
};
