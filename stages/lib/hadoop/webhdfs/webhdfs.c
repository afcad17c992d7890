/* The operations of WebHDFS; each is one call or a few. See webhdfs.h. */
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/keystore/keystore.h"
#include "stages/lib/hadoop/webhdfs/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define PURPOSE "a WebHDFS operation"
#define ATTEMPTS_MAX 15U /* Hadoop's dfs.client.failover.max.attempts */

/* ---- callbacks ---- */

static void answer(struct ps_webhdfs_call *call, const struct ps_file_answer *file_answer)
{
    call->webhdfs->filesystem.under_way--;
    call->done(call->argument, file_answer);
}

static void answer_error(struct ps_webhdfs_call *call, enum ps_file_error error, const char *reason)
{
    answer(call, &(struct ps_file_answer){.error = error, .reason = reason});
}

/* Ends the call with the reason "webhdfs http://host:9870: RENAME /path: ..": the server's answer was valid and
 * reports failure. */
static void answer_no(struct ps_webhdfs_call *call, enum ps_file_error error, const char *why)
{
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "webhdfs %.100s: %s %.160s: %s",
             call->webhdfs->servers[call->server].base, call->operation, call->path, why);
    answer_error(call, error, reason);
}

static void begin(struct ps_filesystem *filesystem, struct ps_webhdfs_call *call, const char *more,
                  ps_file_done *done, void *argument)
{
    call->target = ps_webhdfs_target(call->path, call->operation, more);
    call->done = done;
    call->argument = argument;
    filesystem->under_way++;
    (void)ps_webhdfs_call_begin((struct ps_webhdfs *)filesystem, call);
}

/* ---- names ---- */

/* Finds the reason of a rename that HttpFS refused, from the status of the target: HttpFS answers false for every reason. */
static void on_target_asked(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    call->operation = "RENAME";
    if (outcome->error == PS_FILE_OK)
        answer_no(call, PS_FILE_EXISTS, "it exists already");
    else if (outcome->error == PS_FILE_MISSING)
        answer_no(call, PS_FILE_MISSING, "not renamed to it: the source or the new directory is missing");
    else
        answer_error(call, outcome->error, outcome->reason);
}

static void on_renamed(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    bool value = true;
    bool said = outcome->error == PS_FILE_OK &&
                ps_webhdfs_boolean_read(outcome->body, outcome->length, &value); /* renameoptions: no body */
    if (!said || value) {
        answer_error(call, outcome->error, outcome->reason);
        return;
    }
    struct ps_webhdfs_call ask = {.operation = "GETFILESTATUS",
                                  .method = "GET",
                                  .path = call->to,
                                  .repeats = true,
                                  .deadline_ns = call->deadline_ns,
                                  .ended = on_target_asked};
    call->webhdfs->filesystem.under_way--;
    begin(&call->webhdfs->filesystem, &ask, "", call->done, call->argument);
}

/* With renameoptions a namenode answers with an exception instead of a boolean, and does not move `from` into a directory
 * with the target's name. HttpFS ignores renameoptions. */
static void rename_path(struct ps_filesystem *filesystem, const char *from, const char *to,
                        ps_file_done *done, void *argument)
{
    struct ps_webhdfs_call call = {.operation = "RENAME",
                                   .method = "PUT",
                                   .path = from,
                                   .to = ps_must_copy_text(to, PURPOSE),
                                   .ended = on_renamed};
    char *encoded = ps_webhdfs_encode(to, false);
    char *more = ps_must_alloc(strlen(encoded) + 64, 1, PURPOSE);
    sprintf(more, "&renameoptions=NONE&destination=%s", encoded);
    begin(filesystem, &call, more, done, argument);
    free(more);
    free(encoded);
}

static void on_removed(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    bool value = false;
    if (outcome->error != PS_FILE_OK)
        answer_error(call, outcome->error, outcome->reason);
    else if (!ps_webhdfs_boolean_read(outcome->body, outcome->length, &value))
        answer_no(call, PS_FILE_FAILED, "the answer is not a boolean");
    else if (!value)
        answer_no(call, PS_FILE_MISSING, "there is no such file or directory");
    else
        answer_error(call, PS_FILE_OK, "");
}

static void remove_path(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                        void *argument)
{
    struct ps_webhdfs_call call = {
        .operation = "DELETE", .method = "DELETE", .path = path, .ended = on_removed};
    begin(filesystem, &call, "&recursive=false", done, argument);
}

/* ---- looking ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void on_statuses(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    struct ps_webhdfs_statuses statuses;
    if (outcome->error != PS_FILE_OK) {
        answer_error(call, outcome->error, outcome->reason);
    } else if (!ps_webhdfs_statuses_read(outcome->body, outcome->length, last_part(call->path), &statuses)) {
        answer_no(call, PS_FILE_FAILED, "the answer has no file status");
    } else {
        answer(call, &(struct ps_file_answer){
                         .reason = "", .entries = statuses.entries, .entry_count = statuses.count});
        ps_webhdfs_statuses_free(&statuses);
    }
}

static void stat_path(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct ps_webhdfs_call call = {
        .operation = "GETFILESTATUS", .method = "GET", .path = path, .repeats = true, .ended = on_statuses};
    begin(filesystem, &call, "", done, argument);
}

static void list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct ps_webhdfs_call call = {.operation = "LISTSTATUS",
                                   .method = "GET",
                                   .path = path,
                                   .answer_max = PS_WEBHDFS_LISTING_BYTES,
                                   .repeats = true,
                                   .ended = on_statuses};
    begin(filesystem, &call, "", done, argument);
}

static void on_read(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    if (outcome->error != PS_FILE_OK)
        answer_error(call, outcome->error, outcome->reason);
    else
        answer(call, &(struct ps_file_answer){
                         .reason = "", .content = outcome->body, .content_length = outcome->length});
}

/* Requests one byte more than allowed, so that a longer file fails. */
static void read_file(struct ps_filesystem *filesystem, const char *path, size_t length_max,
                      ps_file_done *done, void *argument)
{
    struct ps_webhdfs_call call = {.operation = "OPEN",
                                   .method = "GET",
                                   .path = path,
                                   .answer_max = length_max > 0 ? length_max : 1,
                                   .repeats = true,
                                   .ended = on_read};
    char more[64];
    snprintf(more, sizeof more, "&length=%zu", length_max + 1);
    begin(filesystem, &call, more, done, argument);
}

/* ---- recovery ---- */

static void on_recovered(struct ps_webhdfs_call *call, const struct ps_webhdfs_outcome *outcome)
{
    answer_error(call, outcome->error, outcome->reason);
}

/* No WebHDFS server has an operation like recoverLease, but an empty APPEND has the same effect: the APPEND is
 * refused while another client holds the lease, begins the recovery if that client did not renew the lease for a
 * minute, and finally closes the file. So the APPEND never takes the file of a living writer, whatever `recovery`
 * is. */
static void recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery,
                    ps_file_done *done, void *argument)
{
    struct ps_webhdfs_call call = {.operation = "APPEND",
                                   .method = "POST",
                                   .path = path,
                                   .redirects = true,
                                   .repeats = true,
                                   .ended = on_recovered};
    begin(filesystem, &call, "", done, argument);
}

/* ---- the file system ---- */

static uint64_t turn(struct ps_filesystem *filesystem, const struct ps_now *now)
{
    struct ps_webhdfs *webhdfs = (struct ps_webhdfs *)filesystem;
    webhdfs->now = *now;
    /* Calls come first, because their errors have more details than those of a stream that timed out. */
    uint64_t calls_ns = ps_webhdfs_calls_turn(webhdfs);
    unsigned begun = webhdfs->begun;
    uint64_t streams_ns = ps_webhdfs_streams_turn(webhdfs);
    if (begun != webhdfs->begun) /* the streams began calls */
        calls_ns = ps_webhdfs_calls_turn(webhdfs);
    return calls_ns < streams_ns ? calls_ns : streams_ns;
}

static void close_all(struct ps_filesystem *filesystem)
{
    struct ps_webhdfs *webhdfs = (struct ps_webhdfs *)filesystem;
    while (!LIST_EMPTY(&webhdfs->streams))
        ps_webhdfs_stream_abandon((struct ps_file_stream *)LIST_FIRST(&webhdfs->streams));
    while (!TAILQ_EMPTY(&webhdfs->calls))
        ps_webhdfs_call_drop(TAILQ_FIRST(&webhdfs->calls));
    for (size_t i = 0; i < PS_WEBHDFS_SLOTS; i++)
        ps_http_request_close(&webhdfs->slots[i].request, &webhdfs->client);
    /* Closing the client's epoll descriptor removes it from the port's epoll. */
    ps_http_client_close(&webhdfs->client);
    for (size_t i = 0; i < webhdfs->server_count; i++) {
        ps_gss_initiator_teardown(webhdfs->servers[i].tickets);
        free(webhdfs->servers[i].base);
    }
    curl_slist_free_all(webhdfs->http.headers);
    free((char *)(uintptr_t)webhdfs->http.ca_text);
    free((char *)(uintptr_t)webhdfs->http.cert_text);
    ps_keystore_wipe((char *)(uintptr_t)webhdfs->http.key_text);
    free(webhdfs->identity);
    free(webhdfs);
    curl_global_cleanup();
}

static const struct ps_filesystem_ops ops = {
    .create = ps_webhdfs_stream_create,
    .write = ps_webhdfs_stream_write,
    .flush = ps_webhdfs_stream_flush,
    .close_stream = ps_webhdfs_stream_close,
    .abandon = ps_webhdfs_stream_abandon,
    .replicas = ps_webhdfs_stream_replicas,
    .rename = rename_path,
    .remove = remove_path,
    .stat = stat_path,
    .list = list,
    .read = read_file,
    .recover = recover,
    .turn = turn,
    .close = close_all,
};

/* ---- opening ---- */

static char *copy_text(const char *text)
{
    return text != NULL ? ps_must_copy_text(text, PURPOSE) : NULL;
}

static char *print_identity(const struct ps_webhdfs_settings *settings)
{
    static const char delegation[] = "&delegation=";
    if (settings->delegation != NULL) {
        size_t length = sizeof delegation + strlen(settings->delegation);
        char *told = ps_must_alloc(length, 1, PURPOSE);
        snprintf(told, length, "%s%s", delegation, settings->delegation);
        return told;
    }
    char *user = ps_webhdfs_encode(settings->user != NULL ? settings->user : "", false);
    char *proxy = ps_webhdfs_encode(settings->proxy_user != NULL ? settings->proxy_user : "", false);
    size_t room = strlen(user) + strlen(proxy) + 64;
    char *identity = ps_must_alloc(room, 1, PURPOSE);
    snprintf(identity, room, "%s%s%s%s", user[0] != '\0' ? "&user.name=" : "", user,
             proxy[0] != '\0' ? "&doas=" : "", proxy);
    free(user);
    free(proxy);
    return identity;
}

/* Opens the tickets of a server: "http://host:9870" has the service principal HTTP/host in the client's realm, else in the default realm. */
static enum ps_status open_tickets(struct ps_webhdfs_server *server, const char *url,
                                   const struct ps_webhdfs_settings *settings, struct ps_err *err)
{
    const char *host = strstr(url, "://") + 3;
    const char *realm =
        settings->kerberos_principal != NULL ? strchr(settings->kerberos_principal, '@') : NULL;
    char name[512];
    snprintf(name, sizeof name, "HTTP/%.*s%s", (int)strcspn(host, ":/"), host, realm != NULL ? realm : "");
    const struct ps_gss_initiator_settings initiator = {.principal = settings->kerberos_principal,
                                                        .keytab = settings->keytab,
                                                        .server = name,
                                                        .wake_fd = settings->wake_fd};
    return ps_gss_initiator_build(&server->tickets, &initiator, err);
}

static enum ps_status open_servers(struct ps_webhdfs *webhdfs, const struct ps_webhdfs_settings *settings,
                                   struct ps_err *err)
{
    for (size_t i = 0; i < settings->server_count; i++) {
        struct ps_webhdfs_server *server = &webhdfs->servers[webhdfs->server_count++];
        size_t room = strlen(settings->servers[i]) + sizeof "/webhdfs/v1";
        server->base = ps_must_alloc(room, 1, PURPOSE);
        snprintf(server->base, room, "%s/webhdfs/v1", settings->servers[i]);
        if (settings->kerberos && open_tickets(server, settings->servers[i], settings, err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* X-XSRF-HEADER is for servers with dfs.webhdfs.rest-csrf.enabled. With an empty Expect, libcurl does not wait before
 * long bodies. */
static bool add_headers(struct ps_webhdfs *webhdfs)
{
    static const char *const fields[] = {"Content-Type: application/octet-stream", "Accept: */*",
                                         "User-Agent: penstock", "X-XSRF-HEADER: \"\"", "Expect:"};
    for (size_t i = 0; i < PS_COUNT_OF(fields); i++) {
        struct curl_slist *longer = curl_slist_append(webhdfs->http.headers, fields[i]);
        if (longer == NULL)
            return false;
        webhdfs->http.headers = longer;
    }
    return true;
}

enum ps_status ps_webhdfs_create(const struct ps_webhdfs_settings *settings,
                                 struct ps_filesystem **filesystem, struct ps_err *err)
{
    struct ps_webhdfs *webhdfs = ps_must_alloc(1, sizeof *webhdfs, PURPOSE);
    *webhdfs = (struct ps_webhdfs){
        .filesystem.ops = &ops,
        .identity = print_identity(settings),
        .call_timeout_ns = settings->call_timeout_ns,
        .replication = settings->replication,
        .block_size_bytes = settings->block_size_bytes,
        .attempts_max = settings->attempts_max > 0 ? settings->attempts_max : ATTEMPTS_MAX,
        .client = {.poll_fd = -1},
        .http = {.url = "",
                 /* The call's own time-out ends first. */
                 .timeout_ns = settings->call_timeout_ns + PS_NS_PER_S,
                 .ca_text = copy_text(settings->ca_text),
                 .cert_text = copy_text(settings->cert_text),
                 .key_text = copy_text(settings->key_text),
                 .verify = true},
    };
    TAILQ_INIT(&webhdfs->calls);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    struct epoll_event event = {.events = EPOLLIN};
    if (ps_http_client_open(&webhdfs->client, PS_WEBHDFS_SLOTS, err) == PS_OK &&
        open_servers(webhdfs, settings, err) == PS_OK) {
        if (add_headers(webhdfs) &&
            (settings->epoll_fd < 0 ||
             epoll_ctl(settings->epoll_fd, EPOLL_CTL_ADD, webhdfs->client.poll_fd, &event) == 0)) {
            *filesystem = &webhdfs->filesystem;
            return PS_OK;
        }
        (void)ps_err_set(err, "WebHDFS: cannot create an HTTP client: not enough memory or file descriptors");
    }
    close_all(&webhdfs->filesystem);
    return PS_FAIL;
}
