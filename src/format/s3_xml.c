// SPDX-License-Identifier: Apache-2.0
#include "s3_xml.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

DEFINE_AUTO(XML_Parser, XML_ParserFree);

enum { DEPTH_MAX = 16 };

/* One pass over a document: each element that holds text alone is told, with its path's two last names. */
struct pass {
        XML_Parser parser; /* borrowed */
        char names[DEPTH_MAX][64];
        unsigned depth;
        struct buf text; /* owned; of the innermost element */
        char root[64];
        enum err failed;
        struct err_note *note; /* borrowed */
        /* in: the element around it. */
        void (*told)(struct pass *, const char *in, const char *name, const char *text);
        void *user; /* borrowed; told's own */
};

static void refuse(struct pass *pass, const char *why) {
        if (!pass->failed)
                pass->failed = err_set(pass->note, ERR_CORRUPT, "an answer of S3, line %lu: %s",
                                       (unsigned long)XML_GetCurrentLineNumber(pass->parser), why);
        XML_StopParser(pass->parser, XML_FALSE);
}

static void XMLCALL on_begin(void *user, const char *name, const char **attributes) {
        struct pass *pass = user;

        (void)attributes;
        if (pass->depth == DEPTH_MAX) {
                refuse(pass, "nested too deep");
                return;
        }
        snprintf(pass->names[pass->depth], sizeof pass->names[0], "%s", name);
        if (pass->depth++ == 0)
                snprintf(pass->root, sizeof pass->root, "%s", name);
        pass->text.n = 0;
}

static void XMLCALL on_end(void *user, const char *name) {
        struct pass *pass = user;

        pass->depth--;
        pass->told(pass, pass->depth > 0 ? pass->names[pass->depth - 1] : "", name, buf_text(&pass->text));
        pass->text.n = 0;
}

static void XMLCALL on_text(void *user, const char *text, int n) {
        struct pass *pass = user;

        if (pass->text.n + (size_t)n > S3_TEXT_MAX)
                refuse(pass, "a text is too long");
        else
                buf_add(&pass->text, text, (size_t)n);
}

static void XMLCALL on_doctype(void *user, const char *name, const char *system, const char *public,
                               int has_subset) {
        (void)name, (void)system, (void)public, (void)has_subset;
        refuse(user, "a document type");
}

static enum err run(struct pass *pass, struct span xml, struct err_note *note) {
        AUTO(XML_ParserFree) XML_Parser parser = XML_ParserCreate(NULL);

        if (!parser)
                return err_set(note, ERR_NO_MEMORY, "an answer of S3");
        if (xml.n > INT32_MAX)
                return err_set(note, ERR_TOO_LARGE, "an answer of S3 has %zu bytes", xml.n);
        pass->parser = parser;
        pass->note = note;
        XML_SetUserData(parser, pass);
        XML_SetElementHandler(parser, on_begin, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        XML_SetStartDoctypeDeclHandler(parser, on_doctype);
        if (XML_Parse(parser, (const char *)xml.data, (int)xml.n, true) == XML_STATUS_ERROR)
                refuse(pass, XML_ErrorString(XML_GetErrorCode(parser)));
        buf_fini(&pass->text);
        return pass->failed;
}

static void keep(char **text, const char *value) {
        free(*text);
        *text = mem_text(value);
}

/* ---- listings -------------------------------------------------------------------------------- */

struct listing_pass {
        struct s3_listing *listing; /* borrowed */
        struct s3_listed now;
        bool is_cut;
};

static bool parse_size(const char *text, uint64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoull(text, &end, 10);
        return *text >= '0' && *text <= '9' && !*end && !errno && *ret < (uint64_t)INT64_MAX;
}

static void on_listed(struct pass *pass, const char *in, const char *name, const char *text) {
        struct listing_pass *listing = pass->user;

        if (strcmp(in, "Contents") == 0 && strcmp(name, "Key") == 0)
                keep(&listing->now.key, text);
        else if (strcmp(in, "Contents") == 0 && strcmp(name, "Size") == 0) {
                if (!parse_size(text, &listing->now.size))
                        refuse(pass, "a size that is none");
        } else if (strcmp(name, "Contents") == 0) {
                if (!listing->now.key)
                        refuse(pass, "an object without a key");
                else
                        *vec_add(&listing->listing->each) = listing->now;
                listing->now = (struct s3_listed){0};
        } else if (pass->depth == 1 && strcmp(name, "IsTruncated") == 0)
                listing->is_cut = strcmp(text, "true") == 0;
        else if (pass->depth == 1 && strcmp(name, "NextContinuationToken") == 0)
                keep(&listing->listing->next, text);
}

enum err s3_listing_decode(struct span xml, struct s3_listing *ret, struct err_note *note) {
        AUTO(s3_listing_fini) struct s3_listing listing = {0};
        struct listing_pass user = {.listing = &listing};
        struct pass pass = {.told = on_listed, .user = &user};
        enum err failed = run(&pass, xml, note);

        free(user.now.key);
        if (failed)
                return failed;
        if (strcmp(pass.root, "ListBucketResult") != 0)
                return err_set(note, ERR_CORRUPT, "an answer of S3 is no listing: <%s>", pass.root);
        if (user.is_cut != (listing.next != NULL))
                return err_set(note, ERR_CORRUPT, "a listing of S3 does not say how it goes on");
        *ret = listing;
        listing = (struct s3_listing){0};
        return ERR_NONE;
}

void s3_listing_fini(struct s3_listing *listing) {
        VEC_EACH (&listing->each, each)
                free(each->key);
        vec_fini(&listing->each);
        free(listing->next);
        listing->next = NULL;
}

/* ---- uploads and errors ---------------------------------------------------------------------- */

static void on_upload(struct pass *pass, const char *in, const char *name, const char *text) {
        (void)in;
        if (pass->depth == 1 && strcmp(name, "UploadId") == 0)
                keep(pass->user, text);
}

enum err s3_upload_id_decode(struct span xml, char **ret, struct err_note *note) {
        AUTO_FREE char *id = NULL;
        struct pass pass = {.told = on_upload, .user = &id};

        if (run(&pass, xml, note))
                return note->code;
        if (!id || !*id || strcmp(pass.root, "InitiateMultipartUploadResult") != 0)
                return err_set(note, ERR_CORRUPT, "an answer of S3 has no id of an upload");
        *ret = TAKE(id);
        return ERR_NONE;
}

static void on_error(struct pass *pass, const char *in, const char *name, const char *text) {
        struct s3_error *error = pass->user;

        if (strcmp(in, "Error") == 0 && strcmp(name, "Code") == 0)
                keep(&error->code, text);
        else if (strcmp(in, "Error") == 0 && strcmp(name, "Message") == 0)
                keep(&error->message, text);
}

void s3_error_fini(struct s3_error *error) {
        free(error->code);
        free(error->message);
        *error = (struct s3_error){0};
}

/* The root's name, or "" of what is no document. */
static void decode_error(struct span xml, struct s3_error *ret, char root[64]) {
        struct pass pass = {.told = on_error, .user = ret};
        struct err_note unused;

        *ret = (struct s3_error){0};
        snprintf(root, 64, "%s", run(&pass, xml, &unused) ? "" : pass.root);
}

bool s3_error_decode(struct span xml, struct s3_error *ret) {
        char root[64];

        decode_error(xml, ret, root);
        return strcmp(root, "Error") == 0;
}

bool s3_complete_is_error(struct span xml, struct s3_error *ret) {
        char root[64];

        decode_error(xml, ret, root);
        return strcmp(root, "CompleteMultipartUploadResult") != 0;
}
