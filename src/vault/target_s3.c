// SPDX-License-Identifier: Apache-2.0
#include "target_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "mem.h"
#include "s3_xml.h"
#include "text.h"

enum {
        ANSWER_MAX = 4 * 1024 * 1024, /* a page of a listing has at most 1000 objects */
        PARTS_MAX = 10000,
        VECS_MAX = 64, /* of a part */
};

struct target_s3 {
        struct target target;     /* first; where: s3://bucket/prefix */
        struct io *io;            /* borrowed, outlives it */
        struct s3_client *client; /* owned */
        char *prefix;             /* owned; "" or with a slash at its end */
        uint64_t part_size, lock_seconds;
};

static struct target_s3 *s3_of(struct target *target) {
        return (struct target_s3 *)target;
}

static char *key_of(const struct target_s3 *s3, const char *name) {
        return mem_format("%s%s", s3->prefix, name);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* What else lies there is not listed. */
static void add_listed(const struct target_s3 *s3, const struct s3_listing *page, struct target_list *ret) {
        size_t n = strlen(s3->prefix);

        VEC_EACH (&page->each, each)
                if (strncmp(each->key, s3->prefix, n) == 0 && target_name_is_valid(each->key + n))
                        *vec_add(&ret->items) =
                                (struct target_item){.name = mem_text(each->key + n), .size = each->size};
}

static enum err list_page(struct target_s3 *s3, const char *prefix, const char *from, struct s3_listing *ret,
                          struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        struct s3_pair query[3];
        struct s3_call call = {.method = "GET", .key = "", .query = query, .max = ANSWER_MAX};

        if (from)
                query[call.n_query++] = (struct s3_pair){"continuation-token", from};
        query[call.n_query++] = (struct s3_pair){"list-type", "2"};
        query[call.n_query++] = (struct s3_pair){"prefix", prefix};
        if (s3_client_call(s3->client, &call, &answer, note))
                return note->code;
        return s3_listing_decode((struct span){answer.body.data, answer.body.n}, ret, note);
}

static enum err s3_list(struct target *target, const char *prefix, struct target_list *ret,
                        struct err_note *note) {
        struct target_s3 *s3 = s3_of(target);
        AUTO_FREE char *key = key_of(s3, prefix);
        AUTO_FREE char *from = NULL;

        for (;;) {
                AUTO(s3_listing_fini) struct s3_listing page = {0};

                if (list_page(s3, key, from, &page, note))
                        return note->code;
                add_listed(s3, &page, ret);
                free(from);
                from = TAKE(page.next);
                if (!from)
                        return ERR_NONE;
        }
}

static enum err s3_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n,
                        size_t *ret_n, struct err_note *note) {
        struct target_s3 *s3 = s3_of(target);
        AUTO_FREE char *key = key_of(s3, name);
        AUTO_FREE char *range =
                mem_format("bytes=%llu-%llu", (unsigned long long)at, (unsigned long long)(at + n - 1));
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        const struct s3_pair headers[] = {{"range", range}};
        const struct s3_call call = {
                .method = "GET", .key = key, .headers = headers, .n_headers = 1, .into = ret, .max = n};

        if (s3_client_call(s3->client, &call, &answer, note))
                return note->code;
        if (answer.status != 206 && answer.status != 416)
                return err_set(note, ERR_UNSUPPORTED, "the server does not read ranges (status %ld)",
                               answer.status);
        if (answer.status == 206 && answer.range_at != at)
                return err_set(note, ERR_IO, "the server answers with another range than was asked for");
        *ret_n = answer.status == 416 ? 0 : answer.n;
        return ERR_NONE;
}

static enum err s3_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        AUTO_FREE char *key = key_of(s3_of(target), name);
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        const struct s3_call call = {.method = "HEAD", .key = key};

        if (s3_client_call(s3_of(target)->client, &call, &answer, note))
                return note->code;
        *ret = answer.length;
        return ERR_NONE;
}

/* ---- putting --------------------------------------------------------------------------------- */

struct lock_headers {
        char until[40], md5[CRYPT_MD5_TEXT];
        struct s3_pair each[3];
        unsigned n;
};

/* By name.  Servers want a sum of their own of what they are to lock. */
static void fill_lock(const struct target_s3 *s3, const struct iovec *data, unsigned n,
                      struct lock_headers *ret) {
        int64_t until = io_wall_ns(s3->io) / 1000000000 + (int64_t)s3->lock_seconds;

        *ret = (struct lock_headers){0};
        if (!s3->lock_seconds)
                return;
        snprintf(ret->until, sizeof ret->until, "%s", text_time(until).s);
        if (data) {
                crypt_md5_text(data, n, ret->md5);
                ret->each[ret->n++] = (struct s3_pair){"content-md5", ret->md5};
        }
        ret->each[ret->n++] = (struct s3_pair){"x-amz-object-lock-mode", "COMPLIANCE"};
        ret->each[ret->n++] = (struct s3_pair){"x-amz-object-lock-retain-until-date", ret->until};
}

static enum err put_whole(struct target_s3 *s3, const char *key, const struct iovec *data, unsigned n,
                          struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        struct lock_headers lock;
        struct s3_call call = {.method = "PUT", .key = key, .body = data, .n_body = n, .max = ANSWER_MAX};

        fill_lock(s3, data, n, &lock);
        call.headers = lock.each;
        call.n_headers = lock.n;
        return s3_client_call(s3->client, &call, &answer, note);
}

/* An upload in parts. */
struct upload {
        struct target_s3 *s3; /* borrowed */
        const char *key;      /* borrowed */
        char *id;             /* owned; NULL: none has begun */
        struct buf parts;     /* owned; what the end says of them */
        unsigned n_parts;
};

static enum err begin_upload(struct upload *upload, struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        const struct s3_pair query[] = {{"uploads", ""}};
        struct lock_headers lock;
        struct s3_call call = {
                .method = "POST", .key = upload->key, .query = query, .n_query = 1, .max = ANSWER_MAX};

        fill_lock(upload->s3, NULL, 0, &lock);
        call.headers = lock.each;
        call.n_headers = lock.n;
        if (s3_client_call(upload->s3->client, &call, &answer, note))
                return note->code;
        return s3_upload_id_decode((struct span){answer.body.data, answer.body.n}, &upload->id, note);
}

static enum err put_part(struct upload *upload, const struct iovec *data, unsigned n, struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        AUTO_FREE char *number = mem_format("%u", ++upload->n_parts);
        const struct s3_pair query[] = {{"partNumber", number}, {"uploadId", upload->id}};
        const struct s3_call call = {.method = "PUT",
                                     .key = upload->key,
                                     .query = query,
                                     .n_query = 2,
                                     .body = data,
                                     .n_body = n,
                                     .max = ANSWER_MAX};

        if (s3_client_call(upload->s3->client, &call, &answer, note))
                return note->code;
        if (!*answer.etag || strpbrk(answer.etag, "<>&"))
                return err_set(note, ERR_IO, "the server does not say what it has of part %s", number);
        buf_print(&upload->parts, "<Part><PartNumber>%s</PartNumber><ETag>%s</ETag></Part>", number,
                  answer.etag);
        return ERR_NONE;
}

static enum err end_upload(struct upload *upload, struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        AUTO(s3_error_fini) struct s3_error error = {0};
        AUTO(buf_fini) struct buf text = {0};
        const struct s3_pair query[] = {{"uploadId", upload->id}};
        struct iovec body;
        const struct s3_call call = {.method = "POST",
                                     .key = upload->key,
                                     .query = query,
                                     .n_query = 1,
                                     .body = &body,
                                     .n_body = 1,
                                     .max = ANSWER_MAX};

        buf_print(&text, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", buf_text(&upload->parts));
        body = (struct iovec){text.data, text.n};
        if (s3_client_call(upload->s3->client, &call, &answer, note))
                return note->code;
        if (!s3_complete_is_error((struct span){answer.body.data, answer.body.n}, &error))
                return ERR_NONE;
        return err_set(note, ERR_IO, "the server says 200, and that it failed: %s%s%s",
                       error.code ? error.code : "nothing it can be understood by", error.message ? ": " : "",
                       error.message ? error.message : "");
}

/* What the beginning of an upload said of a lock is not kept by every server (Ceph's 16 forgets it), and none
 * says so: it is said again of the object. */
static enum err lock_whole(const struct upload *upload, struct err_note *note) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        AUTO(buf_fini) struct buf text = {0};
        const struct s3_pair query[] = {{"retention", ""}};
        struct lock_headers lock;
        struct iovec body;
        struct s3_call call = {.method = "PUT",
                               .key = upload->key,
                               .query = query,
                               .n_query = 1,
                               .body = &body,
                               .n_body = 1,
                               .n_headers = 1,
                               .max = ANSWER_MAX};

        fill_lock(upload->s3, NULL, 0, &lock);
        buf_print(&text,
                  "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
                  lock.until);
        body = (struct iovec){text.data, text.n};
        crypt_md5_text(&body, 1, lock.md5);
        call.headers = (const struct s3_pair[]){{"content-md5", lock.md5}};
        if (s3_client_call(upload->s3->client, &call, &answer, note))
                return err_wrap(note, "lock it");
        return ERR_NONE;
}

/* Its parts are of no use; where even that fails, a rule of the bucket takes them. */
static void drop_upload(struct upload *upload) {
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        const struct s3_pair query[] = {{"uploadId", upload->id}};
        const struct s3_call call = {
                .method = "DELETE", .key = upload->key, .query = query, .n_query = 1, .max = ANSWER_MAX};
        struct err_note unused;

        enum err failed = s3_client_call(upload->s3->client, &call, &answer, &unused);

        (void)failed;
}

/* Goes through bytes in pieces, part by part. */
struct cutter {
        const struct iovec *each; /* borrowed */
        unsigned n, i;
        size_t at;
};

static unsigned next_part(struct cutter *cutter, uint64_t size, struct iovec ret[VECS_MAX]) {
        unsigned n = 0;

        while (size > 0 && cutter->i < cutter->n && n < VECS_MAX) {
                const struct iovec *vec = &cutter->each[cutter->i];
                size_t some = (size_t)min_u64(size, vec->iov_len - cutter->at);

                ret[n++] = (struct iovec){(char *)vec->iov_base + cutter->at, some};
                size -= some;
                cutter->at += some;
                if (cutter->at < vec->iov_len)
                        continue;
                cutter->i++;
                cutter->at = 0;
        }
        return n;
}

static enum err put_parts(struct upload *upload, const struct iovec *data, unsigned n,
                          struct err_note *note) {
        struct cutter cutter = {.each = data, .n = n};
        struct iovec part[VECS_MAX];

        if (begin_upload(upload, note))
                return note->code;
        for (unsigned n_part; (n_part = next_part(&cutter, upload->s3->part_size, part));)
                if (put_part(upload, part, n_part, note))
                        return note->code;
        if (end_upload(upload, note))
                return note->code;
        return upload->s3->lock_seconds ? lock_whole(upload, note) : ERR_NONE;
}

static enum err put_in_parts(struct target_s3 *s3, const char *key, const struct iovec *data, unsigned n,
                             struct err_note *note) {
        struct upload upload = {.s3 = s3, .key = key};
        enum err failed = put_parts(&upload, data, n, note);

        if (failed && upload.id)
                drop_upload(&upload);
        free(upload.id);
        buf_fini(&upload.parts);
        return failed;
}

/* A put of a name that is there replaces it, by the same bytes: nothing is asked first. */
static enum err s3_put(struct target *target, const char *name, const struct iovec *data, unsigned n,
                       bool replace, struct err_note *note) {
        struct target_s3 *s3 = s3_of(target);
        AUTO_FREE char *key = key_of(s3, name);
        uint64_t size = 0;

        (void)replace;
        for (unsigned i = 0; i < n; i++)
                size += data[i].iov_len;
        if (size > s3->part_size * PARTS_MAX)
                return err_set(note, ERR_TOO_LARGE, "%llu bytes do not go into %d parts",
                               (unsigned long long)size, PARTS_MAX);
        return size > s3->part_size && n < VECS_MAX ? put_in_parts(s3, key, data, n, note)
                                                    : put_whole(s3, key, data, n, note);
}

static enum err s3_remove(struct target *target, const char *name, struct err_note *note) {
        AUTO_FREE char *key = key_of(s3_of(target), name);
        AUTO(s3_answer_fini) struct s3_answer answer = {0};
        const struct s3_call call = {.method = "DELETE", .key = key, .max = ANSWER_MAX};
        enum err failed = s3_client_call(s3_of(target)->client, &call, &answer, note);

        return failed == ERR_NOT_FOUND ? ERR_NONE : failed;
}

static void s3_free(struct target *target) {
        struct target_s3 *s3 = s3_of(target);

        s3_client_free(s3->client);
        free(s3->prefix);
        free(s3);
}

static const struct target_ops s3_ops = {
        .kind = "S3",
        .list = s3_list,
        .read = s3_read,
        .size = s3_size,
        .put = s3_put,
        .remove = s3_remove,
        .free = s3_free,
};

struct target *target_s3_new(struct io *io, const struct target_s3_options *options) {
        const char *prefix = options->prefix;
        struct target_s3 *s3 = mem_new(struct target_s3);

        s3->target.ops = &s3_ops;
        s3->target.where = mem_format("s3://%s%s%s", options->client.bucket, *prefix ? "/" : "", prefix);
        s3->io = io;
        s3->client = s3_client_new(io, &options->client);
        s3->prefix = *prefix ? mem_format("%s/", prefix) : mem_text("");
        s3->part_size = options->part_size;
        s3->lock_seconds = options->lock_seconds;
        return &s3->target;
}
