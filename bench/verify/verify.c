/* Runs a verification: readers pass records to one account under a mutex; the main thread examines the account twenty
 * times a second. A reader takes the mutex at the first record of a read and releases it after the last record. */
#include "bench/support/changes.h"
#include "bench/verify/verify.h"
#include "bench/verify/ends.h"
#include "bench/verify/outcome.h"
#include "core/clock.h"
#include "core/quantity.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MS 100
#define LOOK_NS 50000000

struct verify;

struct reader {
    struct verify *verify;
    unsigned number;
    struct ps_url url;
    const struct ps_far_end_ops *ops;
    pthread_t thread;
    bool locked; /* used only by the reader's thread: true: that thread holds the mutex */
    /* guarded by the mutex */
    bool open, over, failed;
    char address[256], remark[1024];
    bool lossy;
    struct ps_err err;
};

struct verify {
    const struct ps_verify_options *options;
    pthread_mutex_t mutex; /* guards the members below, and the readers' state */
    struct ps_account *account;
    bool stop;
    /* used by the main thread only */
    struct reader readers[PS_VERIFY_FROM_MAX];
    unsigned url_count, thread_count;
    struct ps_expected expected;
    struct ps_manifest_file files[PS_VERDICT_MANIFESTS_MAX];
    struct ps_live live;
    sigset_t signals;
    uint64_t start_ns, second_ns, received_before;
    struct ps_histogram latency_ns; /* copy of one interval's latencies */
    bool clock_said;
    json_t *old; /* the summary of an older run, to compare with; NULL: none */
};

/* Returns the far end for this scheme, or NULL. */
static const struct ps_far_end_ops *find_far_end(const char *scheme)
{
    for (const struct ps_far_end_ops *const *ops = ps_far_ends; *ops != NULL; ops++)
        if (strcmp((*ops)->scheme, scheme) == 0)
            return *ops;
    return NULL;
}

/* ---- readers ---- */

static void on_record(void *argument, const struct ps_far_record *record)
{
    struct reader *reader = argument;
    struct verify *verify = reader->verify;
    if (!reader->locked) {
        pthread_mutex_lock(&verify->mutex);
        reader->locked = true;
    }
    ps_account_take(verify->account, record, record->stream * PS_VERIFY_FROM_MAX + reader->number);
}

static void opened(struct reader *reader, void *state)
{
    const char *address = reader->ops->address != NULL ? reader->ops->address(state) : NULL;
    pthread_mutex_lock(&reader->verify->mutex);
    snprintf(reader->address, sizeof reader->address, "%s", address != NULL ? address : "");
    reader->open = true;
    pthread_mutex_unlock(&reader->verify->mutex);
}

static bool wanted(struct reader *reader)
{
    if (!reader->locked)
        pthread_mutex_lock(&reader->verify->mutex);
    bool go_on = !reader->verify->stop;
    pthread_mutex_unlock(&reader->verify->mutex);
    reader->locked = false;
    return go_on;
}

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    struct ps_err err = {.length = 0};
    void *state = NULL;
    uint64_t wait_ns = reader->verify->options->duration_ns;
    bool failed = reader->ops->open(&state, &reader->url, wait_ns, &err) != PS_OK, lossy = false;
    enum ps_far_read result = PS_FAR_SOME;
    const char *remark = NULL;
    if (!failed) {
        opened(reader, state);
        while (wanted(reader) && result != PS_FAR_END && result != PS_FAR_FAILED)
            result = reader->ops->read(state, READ_MS, on_record, reader, &err);
        remark = reader->ops->remark != NULL ? reader->ops->remark(state, &lossy) : NULL;
    }
    pthread_mutex_lock(&reader->verify->mutex);
    reader->failed = failed || result == PS_FAR_FAILED;
    reader->err = err;
    reader->over = true;
    reader->lossy = lossy;
    snprintf(reader->remark, sizeof reader->remark, "%s", remark != NULL ? remark : "");
    pthread_mutex_unlock(&reader->verify->mutex);
    if (!failed)
        reader->ops->close(state);
    return NULL;
}

/* Parses the URL and finds its far end. After PS_OK the caller frees the URL. */
static enum ps_status far_end_of(struct ps_url *url, const char *from, const struct ps_far_end_ops **ops,
                                 struct ps_err *err)
{
    char known[256] = "";
    if (ps_url_parse(url, from, err) != PS_OK)
        return ps_err_append(err, "--from %s", from);
    *ops = find_far_end(url->scheme);
    if (*ops != NULL)
        return PS_OK;
    for (const struct ps_far_end_ops *const *each = ps_far_ends; *each != NULL; each++)
        snprintf(known + strlen(known), sizeof known - strlen(known), " %s://", (*each)->scheme);
    if (strcmp(url->scheme, "stdout") == 0)
        ps_err_set(err, "--from %s: verify does not read standard input; write it to a file first", from);
    else
        ps_err_set(err, "--from %s: verify cannot read from %s://; it can from%s", from, url->scheme, known);
    ps_url_fini(url);
    return PS_FAIL;
}

enum ps_status ps_verify_from_check(const char *from, struct ps_err *err)
{
    struct ps_url url = {0};
    const struct ps_far_end_ops *ops;
    enum ps_status status = far_end_of(&url, from, &ops, err);
    if (status == PS_OK)
        ps_url_fini(&url);
    return status;
}

static enum ps_status readers_start(struct verify *verify, struct ps_err *err)
{
    const struct ps_verify_options *options = verify->options;
    for (unsigned i = 0; i < options->from_count; i++) {
        struct reader *reader = &verify->readers[i];
        reader->verify = verify;
        reader->number = i;
        if (far_end_of(&reader->url, options->from[i], &reader->ops, err) != PS_OK)
            return PS_FAIL;
        verify->url_count++;
    }
    for (unsigned i = 0; i < options->from_count; i++) {
        if (pthread_create(&verify->readers[i].thread, NULL, read_all, &verify->readers[i]) != 0)
            return ps_err_set(err, "cannot start a thread to read %s", options->from[i]);
        verify->thread_count++;
    }
    return PS_OK;
}

static void readers_stop(struct verify *verify)
{
    pthread_mutex_lock(&verify->mutex);
    verify->stop = true;
    pthread_mutex_unlock(&verify->mutex);
    for (unsigned i = 0; i < verify->thread_count; i++)
        pthread_join(verify->readers[i].thread, NULL);
    for (unsigned i = 0; i < verify->url_count; i++)
        ps_url_fini(&verify->readers[i].url);
}

/* ---- the main thread ---- */

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

/* Returns true when a signal came within the time. */
static bool sleep_or_signal(struct verify *verify)
{
    const struct timespec time = {.tv_nsec = LOOK_NS};
    return sigtimedwait(&verify->signals, NULL, &time) > 0;
}

/* Waits until all far ends are open. Returns false when one cannot be opened or a signal came. */
static bool wait_open(struct verify *verify, bool *interrupted)
{
    for (;;) {
        unsigned open = 0, failed = 0;
        pthread_mutex_lock(&verify->mutex);
        for (unsigned i = 0; i < verify->thread_count; i++) {
            open += verify->readers[i].open;
            failed += verify->readers[i].over && !verify->readers[i].open;
        }
        pthread_mutex_unlock(&verify->mutex);
        if (failed > 0)
            return false;
        if (open == verify->thread_count)
            return true;
        if (sleep_or_signal(verify)) {
            *interrupted = true;
            return false;
        }
    }
}

static void print_ready(struct verify *verify)
{
    json_t *list = json_array(), *object;
    for (unsigned i = 0; i < verify->thread_count; i++) {
        const struct reader *reader = &verify->readers[i];
        json_t *address = reader->address[0] != '\0' ? json_string(reader->address) : json_null();
        json_array_append_new(list, json_pack("{s:s,s:o}", "url", reader->url.text, "address", address));
        if (reader->address[0] != '\0' && !verify->live.json)
            ps_live_note(&verify->live, "listening on %s://%s", reader->url.scheme, reader->address);
    }
    object = json_object();
    json_object_set_new(object, "type", json_string("ready"));
    json_object_set_new(object, "from", list);
    ps_live_object(&verify->live, object, false);
}

/* Called at the interval of --every. */
static void print_second(struct verify *verify, uint64_t now, bool last)
{
    struct ps_outcome_second second = {.latency_ns = &verify->latency_ns};
    double passed_s = (double)(now - verify->second_ns) / 1e9;
    pthread_mutex_lock(&verify->mutex);
    bool known = ps_verdict_progress(verify->account, &verify->expected, &second.tally, &second.sent);
    second.foreign = verify->account->foreign;
    verify->latency_ns = verify->account->latency_ns;
    memset(&verify->account->latency_ns, 0, sizeof verify->account->latency_ns);
    pthread_mutex_unlock(&verify->mutex);
    if (!known)
        second.sent = 0;
    second.t_s = (double)(now - verify->start_ns) / 1e9;
    if (second.tally.received >= verify->received_before && passed_s > 0)
        second.rate = (double)(second.tally.received - verify->received_before) / passed_s;
    verify->received_before = second.tally.received;
    verify->second_ns = now;
    ps_outcome_progress(&verify->live, &second);
    int64_t step = ps_account_clock(verify->account);
    if (!last && !verify->clock_said && llabs(step) > (long long)(10 * PS_NS_PER_MS)) {
        verify->clock_said = true;
        ps_live_note(&verify->live, "the wall clock was moved %s by %s: latencies still use the old setting",
                     step < 0 ? "back" : "forward", ps_quantity_print_ns((uint64_t)llabs(step)).text);
    }
}

/* Collects the state from which ps_ends_check decides. */
static void state_take(struct verify *verify, struct ps_ends_state *state)
{
    struct ps_tracker_counts tally;
    unsigned over = 0;
    state->now_ns = now_ns();
    pthread_mutex_lock(&verify->mutex);
    state->known = ps_verdict_progress(verify->account, &verify->expected, &tally, &state->sent);
    state->received = tally.received;
    state->active_ns = verify->account->active_mono_ns;
    for (unsigned i = 0; i < verify->thread_count; i++) {
        over += verify->readers[i].over;
        state->failed |= verify->readers[i].failed;
    }
    pthread_mutex_unlock(&verify->mutex);
    state->far_over = over == verify->thread_count;
    state->manifest_missing = verify->expected.manifest_missing > 0 ||
                              ps_ends_running(verify->files, verify->options->manifest_count,
                                              &verify->expected, ps_clock_now().wall_ms / 1000);
}

/* Reads the manifests that are new. With --run, the manifest has to be of that run. */
static enum ps_status manifests_read(struct verify *verify, struct ps_err *err)
{
    const struct ps_verify_options *options = verify->options;
    if (ps_ends_manifests(verify->files, options->manifests, options->manifest_count, &verify->expected,
                          err) != PS_OK)
        return PS_FAIL;
    uint32_t run = verify->expected.manifest_count > 0 ? verify->expected.manifests[0].run : options->run;
    if (options->run_only && run != options->run)
        return ps_err_set(err, "--manifest %s: it names run %06x, and --run says %06x", options->manifests[0],
                          run, options->run);
    return PS_OK;
}

static enum ps_end watch(struct verify *verify, struct ps_err *err)
{
    const struct ps_verify_options *options = verify->options;
    struct ps_ends ends = {
        .start_ns = verify->start_ns, .idle_ns = options->idle_ns, .duration_ns = options->duration_ns};
    for (;;) {
        struct ps_ends_state state = {.interrupted = sleep_or_signal(verify)};
        if (manifests_read(verify, err) != PS_OK)
            return PS_END_FAILED;
        state_take(verify, &state);
        /* Intervals are counted from the start, so that the delays of checks do not add up. */
        if ((state.now_ns - verify->start_ns) / options->every_ns >
            (verify->second_ns - verify->start_ns) / options->every_ns)
            print_second(verify, state.now_ns, false);
        enum ps_end end = ps_ends_check(&ends, &state);
        if (end != PS_END_NOT)
            return end;
    }
}

/* Joins the remarks of the far ends in one line; NULL when there are none. */
static const char *remarks_join(const struct verify *verify, char *text, size_t room, bool *lossy)
{
    text[0] = '\0';
    for (unsigned i = 0; i < verify->thread_count; i++) {
        const struct reader *reader = &verify->readers[i];
        size_t used = strlen(text);
        *lossy |= reader->lossy;
        if (reader->remark[0] != '\0' && verify->thread_count > 1)
            snprintf(text + used, room - used, "%s%s: %s", used > 0 ? "; " : "", verify->options->from[i],
                     reader->remark);
        else if (reader->remark[0] != '\0')
            snprintf(text, room, "%s", reader->remark);
    }
    return text[0] != '\0' ? text : NULL;
}

static int finish(struct verify *verify, enum ps_end end, const struct ps_err *err)
{
    struct ps_verdict verdict;
    char remark[4096];
    bool lossy = false;
    struct ps_outcome outcome = {.histogram = verify->options->histogram,
                                 .account = verify->account,
                                 .expected = &verify->expected,
                                 .verdict = &verdict};
    outcome.remark = remarks_join(verify, remark, sizeof remark, &lossy);
    outcome.lossy = lossy;
    outcome.ended = ps_end_name(end);
    outcome.seconds = (double)(now_ns() - verify->start_ns) / 1e9;
    outcome.last_s = ((double)verify->account->active_mono_ns - (double)verify->start_ns) / 1e9;
    if (now_ns() - verify->second_ns >= LOOK_NS)
        print_second(verify, now_ns(), true);
    ps_account_clock(verify->account);
    ps_verdict_make(&verdict, verify->account, &verify->expected, lossy);
    if (end == PS_END_FAILED)
        verdict.exit_code = 2;
    outcome.old = verify->old;
    outcome.compare = verify->options->compare;
    unsigned worse = ps_outcome_summary(&verify->live, &outcome);
    if (verdict.exit_code == 0 && worse > 0)
        verdict.exit_code = 4;
    if (end == PS_END_FAILED && err->length > 0)
        fprintf(stderr, "penstock verify: %s\n", err->text);
    for (unsigned i = 0; i < verify->thread_count; i++)
        if (verify->readers[i].failed)
            fprintf(stderr, "penstock verify: --from %s: %s\n", verify->options->from[i],
                    verify->readers[i].err.text);
    return verdict.exit_code;
}

static int run(struct verify *verify)
{
    struct ps_err err = {.length = 0};
    const struct ps_verify_options *options = verify->options;
    bool interrupted = false;
    verify->expected.events_known = options->events_known;
    verify->expected.events = options->events;
    verify->expected.sources = options->sources;
    ps_live_init(&verify->live, stdout, options->json, options->quiet);
    if (options->compare != NULL &&
        ps_changes_read(&verify->old, options->compare, "records", &err) != PS_OK) {
        fprintf(stderr, "penstock verify: %s\n", err.text);
        return 2;
    }
    enum ps_status status = manifests_read(verify, &err);
    if (status == PS_OK)
        status = readers_start(verify, &err);
    bool open = status == PS_OK && wait_open(verify, &interrupted);
    if (interrupted)
        _Exit(2); /* a far end that does not finish opening may not stop either */
    verify->start_ns = verify->second_ns = now_ns();
    enum ps_end end = PS_END_FAILED;
    if (open) {
        print_ready(verify);
        end = watch(verify, &err);
    }
    pthread_sigmask(SIG_UNBLOCK, &verify->signals, NULL); /* a second signal ends the process immediately */
    readers_stop(verify);
    if (open)
        return finish(verify, end, &err);
    if (err.length > 0)
        fprintf(stderr, "penstock verify: %s\n", err.text);
    for (unsigned i = 0; i < verify->thread_count; i++)
        if (verify->readers[i].failed && !verify->readers[i].open)
            fprintf(stderr, "penstock verify: --from %s: %s\n", options->from[i],
                    verify->readers[i].err.text);
    return 2;
}

int ps_verify_run(const struct ps_verify_options *options)
{
    struct verify *verify = ps_must_alloc(1, sizeof *verify, "a run");
    struct ps_account *account = ps_account_create(options->memory_bytes, options->run_only, options->run);
    verify->options = options;
    verify->account = account;
    if (options->arrivals_ns > 0)
        ps_account_count_arrivals(account, options->arrivals_ns);
    pthread_mutex_init(&verify->mutex, NULL);
    sigset_t before;
    sigemptyset(&verify->signals);
    sigaddset(&verify->signals, SIGINT);
    sigaddset(&verify->signals, SIGTERM);
    sigaddset(&verify->signals, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &verify->signals, &before);
    int code = run(verify);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_destroy(&verify->mutex);
    for (unsigned i = 0; i < verify->expected.manifest_count; i++)
        ps_manifest_fini(&verify->expected.manifests[i]);
    ps_account_destroy(account);
    json_decref(verify->old);
    free(verify);
    return code;
}
