// SPDX-License-Identifier: Apache-2.0
#include "s3_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "mem.h"
#include "s3_xml.h"
#include "text.h"
#include "vault_sum.h"

enum {
        IDLE_MAX = 64,
        CONNECT_S = 20,
        SILENT_S = 60,               /* nothing moved for so long: it will not */
        ERROR_BODY_MAX = 256 * 1024, /* of what a server says about an error */
};

struct s3_client {
        struct io *io;                                   /* borrowed; its clock */
        char *scheme, *host, *bucket, *region, *ca_file; /* owned; host: with its port */
        struct s3_credentials credentials;
        bool is_in_path;
        pthread_mutex_t lock; /* all below */
        CURL *idle[IDLE_MAX]; /* owned; with connections that are kept */
        unsigned n_idle;
};

DEFINE_AUTO(struct curl_slist *, curl_slist_free_all);

/* ---- handles --------------------------------------------------------------------------------- */

static void init_curl(void) {
        CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);

        assert(!failed);
}

struct s3_client *s3_client_new(struct io *io, const struct s3_client_options *options) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        struct s3_client *client = mem_new(struct s3_client);
        const char *host = strstr(options->endpoint, "://");

        pthread_once(&once, init_curl);
        client->io = io;
        client->scheme = host ? mem_format("%.*s", (int)(host - options->endpoint), options->endpoint)
                              : mem_text("https");
        client->host = mem_text(host ? host + 3 : options->endpoint);
        client->bucket = mem_text(options->bucket);
        client->region = mem_text(options->region);
        client->ca_file = options->ca_file ? mem_text(options->ca_file) : NULL;
        client->credentials.key_id = mem_text(options->credentials->key_id);
        client->credentials.secret = mem_text(options->credentials->secret);
        if (options->credentials->token)
                client->credentials.token = mem_text(options->credentials->token);
        client->is_in_path = options->is_in_path;
        pthread_mutex_init(&client->lock, NULL);
        return client;
}

void s3_client_free(struct s3_client *client) {
        for (unsigned i = 0; i < client->n_idle; i++)
                curl_easy_cleanup(client->idle[i]);
        pthread_mutex_destroy(&client->lock);
        s3_credentials_fini(&client->credentials);
        free(client->scheme);
        free(client->host);
        free(client->bucket);
        free(client->region);
        free(client->ca_file);
        free(client);
}

static CURL *take_handle(struct s3_client *client) {
        CURL *handle = NULL;

        pthread_mutex_lock(&client->lock);
        if (client->n_idle > 0)
                handle = client->idle[--client->n_idle];
        pthread_mutex_unlock(&client->lock);
        if (handle)
                curl_easy_reset(handle); /* its connections stay */
        else
                handle = curl_easy_init();
        assert(handle);
        return handle;
}

static void give_handle(struct s3_client *client, CURL *handle) {
        bool is_kept;

        pthread_mutex_lock(&client->lock);
        is_kept = client->n_idle < IDLE_MAX;
        if (is_kept)
                client->idle[client->n_idle++] = handle;
        pthread_mutex_unlock(&client->lock);
        if (!is_kept)
                curl_easy_cleanup(handle);
}

/* ---- one transfer ---------------------------------------------------------------------------- */

struct transfer {
        const struct s3_call *call; /* borrowed */
        struct s3_answer *answer;   /* borrowed */
        CURL *handle;               /* borrowed */
        unsigned part;              /* of the body: where sending has come */
        size_t part_at;
        struct buf said; /* owned; the body of an answer that is an error */
        bool is_too_large;
};

static bool is_success(long status) {
        return status >= 200 && status < 300;
}

static size_t send_some(char *into, size_t size, size_t n, void *user) {
        struct transfer *transfer = user;
        const struct s3_call *call = transfer->call;
        size_t room = size * n, done = 0;

        while (done < room && transfer->part < call->n_body) {
                const struct iovec *vec = &call->body[transfer->part];
                size_t some = (size_t)min_u64(room - done, vec->iov_len - transfer->part_at);

                memcpy(into + done, (const char *)vec->iov_base + transfer->part_at, some);
                done += some;
                transfer->part_at += some;
                if (transfer->part_at < vec->iov_len)
                        continue;
                transfer->part++;
                transfer->part_at = 0;
        }
        return done;
}

/* libcurl sends again what it lost with a kept connection that had ended. */
static int rewind_body(void *user, curl_off_t offset, int origin) {
        struct transfer *transfer = user;

        if (offset != 0 || origin != SEEK_SET)
                return CURL_SEEKFUNC_CANTSEEK;
        transfer->part = 0;
        transfer->part_at = 0;
        return CURL_SEEKFUNC_OK;
}

static size_t take_some(char *data, size_t size, size_t n, void *user) {
        struct transfer *transfer = user;
        const struct s3_call *call = transfer->call;
        struct s3_answer *answer = transfer->answer;
        size_t some = size * n;
        long status = 0;

        curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &status);
        if (!is_success(status)) {
                buf_add(&transfer->said, data, (size_t)min_u64(some, ERROR_BODY_MAX - transfer->said.n));
                return some;
        }
        transfer->is_too_large = some > call->max - answer->n;
        if (transfer->is_too_large)
                return 0;
        if (call->into)
                memcpy((char *)call->into + answer->n, data, some);
        else
                buf_add(&answer->body, data, some);
        answer->n += some;
        return some;
}

/* What stands behind a header's name and colon, or NULL where it is another header. */
static const char *value_of(const char *line, size_t length, const char *name, size_t *ret_n) {
        size_t at = strlen(name);

        if (length <= at || strncasecmp(line, name, at) != 0)
                return NULL;
        while (at < length && (line[at] == ' ' || line[at] == '\t'))
                at++;
        while (length > at && (line[length - 1] == '\n' || line[length - 1] == '\r'))
                length--;
        *ret_n = length - at;
        return line + at;
}

/* "bytes FIRST-LAST/SIZE" */
static uint64_t range_at_of(const char *value, size_t n) {
        static const char unit[] = "bytes ";
        uint64_t at = 0;
        size_t i = sizeof unit - 1;

        if (n <= i || strncasecmp(value, unit, i) != 0 || value[i] < '0' || value[i] > '9')
                return UINT64_MAX;
        for (; i < n && value[i] >= '0' && value[i] <= '9'; i++)
                if (!mul_u64(at, 10, &at) || !add_u64(at, (uint64_t)(value[i] - '0'), &at))
                        return UINT64_MAX;
        return i < n && value[i] == '-' ? at : UINT64_MAX;
}

static size_t take_header(char *line, size_t size, size_t n, void *user) {
        struct transfer *transfer = user;
        struct s3_answer *answer = transfer->answer;
        size_t length = size * n, n_value;
        const char *value = value_of(line, length, "etag:", &n_value);

        if (value)
                snprintf(answer->etag, sizeof answer->etag, "%.*s", (int)n_value, value);
        value = value_of(line, length, "content-range:", &n_value);
        if (value)
                answer->range_at = range_at_of(value, n_value);
        return length;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static uint64_t body_size(const struct s3_call *call) {
        uint64_t n = 0;

        for (unsigned i = 0; i < call->n_body; i++)
                n += call->body[i].iov_len;
        return n;
}

static void sum_body(const struct s3_call *call, uint8_t ret[VAULT_SUM_SIZE]) {
        AUTO_FREE struct span *spans = mem_zero((call->n_body + 1) * sizeof *spans);

        for (unsigned i = 0; i < call->n_body; i++)
                spans[i] = (struct span){call->body[i].iov_base, call->body[i].iov_len};
        vault_sum(spans, call->n_body, ret);
}

static void put_path(const struct s3_client *client, const char *key, struct buf *ret) {
        buf_print(ret, "/");
        if (client->is_in_path)
                buf_print(ret, "%s%s", client->bucket, *key ? "/" : "");
        s3_escape(ret, key, true);
}

static void add_line(struct curl_slist **lines, const char *name, const char *value) {
        AUTO_FREE char *line = mem_format("%s:%s%s", name, *value ? " " : "", value);
        struct curl_slist *more = curl_slist_append(*lines, line);

        assert(more);
        *lines = more;
}

/* The URL, and all headers that are not libcurl's own. */
static struct curl_slist *sign_call(const struct s3_client *client, const struct s3_call *call,
                                    struct buf *ret_url) {
        AUTO_FREE char *host = client->is_in_path ? mem_text(client->host)
                                                  : mem_format("%s.%s", client->bucket, client->host);
        AUTO(buf_fini) struct buf path = {0};
        AUTO(s3_signed_fini) struct s3_signed signed_ = {0};
        struct curl_slist *lines = NULL;
        struct s3_request request = {.method = call->method,
                                     .host = host,
                                     .query = call->query,
                                     .n_query = call->n_query,
                                     .headers = call->headers,
                                     .n_headers = call->n_headers,
                                     .region = client->region,
                                     .time = io_wall_ns(client->io) / 1000000000};

        put_path(client, call->key, &path);
        request.path = buf_text(&path);
        sum_body(call, request.payload_sum);
        s3_sign(&client->credentials, &request, &signed_);
        buf_print(ret_url, "%s://%s%s%s", client->scheme, host, request.path, call->n_query ? "?" : "");
        s3_put_query(ret_url, call->query, call->n_query);
        for (unsigned i = 0; i < call->n_headers; i++)
                add_line(&lines, call->headers[i].name, call->headers[i].value);
        add_line(&lines, "x-amz-content-sha256", signed_.payload_sum);
        add_line(&lines, "x-amz-date", signed_.time);
        if (client->credentials.token)
                add_line(&lines, "x-amz-security-token", client->credentials.token);
        add_line(&lines, "Authorization", buf_text(&signed_.authorization));
        add_line(&lines, "Expect", ""); /* not sent: each object would wait for an answer more */
        add_line(&lines, "Content-Type", "");
        return lines;
}

static void set_up(const struct s3_client *client, struct transfer *transfer, const char *url,
                   struct curl_slist *lines, char *error) {
        const struct s3_call *call = transfer->call;
        CURL *handle = transfer->handle;
        bool sends = strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0;

        curl_easy_setopt(handle, CURLOPT_URL, url);
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
        curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
        curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, (long)SILENT_S);
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_some);
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
        curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer);
        if (client->ca_file)
                curl_easy_setopt(handle, CURLOPT_CAINFO, client->ca_file);
        if (sends) {
                curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(call));
                curl_easy_setopt(handle, CURLOPT_READFUNCTION, send_some);
                curl_easy_setopt(handle, CURLOPT_READDATA, transfer);
                curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, rewind_body);
                curl_easy_setopt(handle, CURLOPT_SEEKDATA, transfer);
        }
        if (strcmp(call->method, "HEAD") == 0)
                curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
        else if (strcmp(call->method, "GET") != 0)
                curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call->method);
}

/* ---- what is answered ------------------------------------------------------------------------ */

static enum err code_of(long status, const char *code) {
        /* NoSuchUpload: its end happened, and the answer was lost; libcurl asked again. */
        static const char *const again[] = {"RequestTimeout",
                                            "BadDigest",
                                            "XAmzContentSHA256Mismatch",
                                            "OperationAborted",
                                            "IncompleteBody",
                                            "NoSuchUpload",
                                            NULL};

        if (status == 503 || status == 429)
                return ERR_BUSY;
        for (const char *const *each = again; *each; each++)
                if (strcmp(code, *each) == 0)
                        return ERR_IO;
        if (status >= 500 || status == 408)
                return ERR_IO;
        if (strcmp(code, "NoSuchBucket") == 0) /* no object of it is gone because it is */
                return ERR_INVALID;
        return status == 404 ? ERR_NOT_FOUND : status == 403 || status == 401 ? ERR_DENIED : ERR_INVALID;
}

static enum err say_refused(long status, struct span said, struct err_note *note) {
        AUTO(s3_error_fini) struct s3_error error = {0};
        const char *code, *hint = "";

        (void)s3_error_decode(said, &error);
        code = error.code ? error.code : "";
        if (strcmp(code, "RequestTimeTooSkewed") == 0)
                hint = " (is this machine's clock right?)";
        else if (strcmp(code, "SignatureDoesNotMatch") == 0 || strcmp(code, "InvalidAccessKeyId") == 0)
                hint = " (are these the bucket's credentials?)";
        return err_set(note, code_of(status, code), "the server answers %ld%s%s%s%s%s", status,
                       *code ? " " : "", code, error.message ? ": " : "", error.message ? error.message : "",
                       hint);
}

static enum err judge(struct transfer *transfer, CURLcode failed, const char *error, struct err_note *note) {
        struct s3_answer *answer = transfer->answer;
        curl_off_t length = 0;

        if (transfer->is_too_large)
                return err_set(note, ERR_TOO_LARGE, "the answer is longer than %zu bytes",
                               transfer->call->max);
        if (failed == CURLE_PEER_FAILED_VERIFICATION || failed == CURLE_SSL_CACERT_BADFILE)
                return err_set(note, ERR_DENIED, "the server's certificate: %s", error);
        if (failed)
                return err_set(note, ERR_IO, "%s", *error ? error : curl_easy_strerror(failed));
        curl_easy_getinfo(transfer->handle, CURLINFO_RESPONSE_CODE, &answer->status);
        if (curl_easy_getinfo(transfer->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
            length > 0)
                answer->length = (uint64_t)length;
        if (is_success(answer->status) || answer->status == 416)
                return ERR_NONE;
        return say_refused(answer->status, (struct span){transfer->said.data, transfer->said.n}, note);
}

void s3_answer_fini(struct s3_answer *answer) {
        buf_fini(&answer->body);
}

enum err s3_client_call(struct s3_client *client, const struct s3_call *call, struct s3_answer *ret,
                        struct err_note *note) {
        AUTO(buf_fini) struct buf url = {0};
        AUTO(curl_slist_free_all) struct curl_slist *lines = sign_call(client, call, &url);
        struct transfer transfer = {.call = call, .answer = ret, .handle = take_handle(client)};
        char error[CURL_ERROR_SIZE] = "";
        CURLcode failed;
        enum err e;

        *ret = (struct s3_answer){.range_at = UINT64_MAX};
        set_up(client, &transfer, buf_text(&url), lines, error);
        failed = curl_easy_perform(transfer.handle);
        e = judge(&transfer, failed, error, note);
        give_handle(client, transfer.handle);
        buf_fini(&transfer.said);
        return e;
}
