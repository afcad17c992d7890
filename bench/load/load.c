#include "bench/load/load.h"
#include "bench/load/load_internal.h"
#include "bench/load/summary.h"
#include "bench/support/output.h"
#include "bench/support/measure.h"
#include "core/text/nearest.h"
#include "bench/support/stamp.h"
#include "core/quantity.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SHOW_CONNECTING_NS (200 * PS_NS_PER_MS)
#define LOOK_NS (50 * PS_NS_PER_MS)
/* Delay from the order to the start; longer than a pacer sleeps. */
#define HEAD_START_NS (30 * PS_NS_PER_MS)
/* How often the manifest of a run that goes on is written: one of many sources is large. */
#define MANIFEST_NS PS_NS_PER_S
#define MANIFEST_MANY_NS (10 * PS_NS_PER_S)
#define MANIFEST_SOURCES_FEW 1000U
#define BLOCK_BYTES_MAX (256U << 10)
#define BLOCK_BYTES_MIN 4096U
#define BLOCKS_BYTES_MAX (UINT64_C(512) << 20) /* maximum memory of all blocks together */
/* Events per second that one thread is assumed to manage. */
#define THREAD_RATE 3e6

static int64_t wall_offset_ns(void)
{
    struct timespec wall;
    uint64_t before_ns = ps_pacer_now();
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t after_ns = ps_pacer_now();
    return (int64_t)wall.tv_sec * (int64_t)PS_NS_PER_S + wall.tv_nsec -
           (int64_t)(before_ns + (after_ns - before_ns) / 2);
}

static int interrupts(const struct ps_load_config *config)
{
    return config->interrupts != NULL ? __atomic_load_n(config->interrupts, __ATOMIC_RELAXED) : 0;
}

/* ---- creation ---- */

static enum ps_status target_find(struct ps_load *load, struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, load->url.scheme);
    for (const struct ps_target_ops *const *ops = ps_targets; *ops != NULL; ops++) {
        if (strcmp((*ops)->scheme, load->url.scheme) == 0) {
            load->ops = *ops;
            return PS_OK;
        }
        ps_nearest_offer(&nearest, (*ops)->scheme);
    }
    if (nearest.word != NULL)
        return ps_err_set(err, "--target %s: there is no target `%s`; did you mean %s?", load->url.text,
                          load->url.scheme, nearest.word);
    return ps_err_set(err, "--target %s: there is no target `%s`; `penstock load --help` lists them",
                      load->url.text, load->url.scheme);
}

/* Returns whether the target has the form HOST:PORT, which would otherwise be the name of a file or a scheme:
 * 127.0.0.1:514, host.example:514, localhost:514, [::1]:514. */
static bool target_is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || strchr(text, '/') != NULL)
        return false;
    size_t digits = strspn(colon + 1, "0123456789");
    return digits > 0 && (colon[1 + digits] == '\0' || colon[1 + digits] == '?');
}

static enum ps_status target_form_check(const char *target, struct ps_err *err)
{
    if (target_is_address(target))
        return ps_err_set(
            err, "--target %s: the scheme is missing; did you mean tcp://%s? A file of that name is ./%s",
            target, target, target);
    if (strpbrk(target, ":/") == NULL && strcmp(target, "-") != 0)
        return ps_err_set(
            err, "--target %s: neither a URL nor a path; write tcp://%s:PORT for a host, ./%s for a file",
            target, target, target);
    return PS_OK;
}

static enum ps_status target_create(struct ps_load *load, enum ps_framing *framing, struct ps_err *err)
{
    const struct ps_load_config *config = load->config;
    if (target_form_check(config->target, err) != PS_OK)
        return PS_FAIL;
    if (ps_url_parse(&load->url, config->target, err) != PS_OK || target_find(load, err) != PS_OK)
        return PS_FAIL;
    if (load->ops->one_lane && config->connections > 1)
        return ps_err_set(err, "--connections %u: a target %s: has only one connection; remove --connections",
                          config->connections, load->ops->scheme);
    *framing = load->ops->framing;
    if (ps_target_plan(load->ops, &load->url, framing, &load->plan, err) != PS_OK)
        return PS_FAIL;
    return ps_url_check(&load->url, err);
}

enum ps_status ps_load_target_check(const char *target, struct ps_err *err)
{
    const struct ps_load_config config = {.target = target, .connections = 1};
    struct ps_load *load = ps_must_alloc(1, sizeof *load, "a load");
    enum ps_framing framing;
    load->config = &config;
    enum ps_status status = target_create(load, &framing, err);
    ps_target_unplan(load->ops, load->plan);
    ps_url_fini(&load->url);
    free(load);
    return status;
}

/* Returns the highest rate of the shape in events per second; 0 when it is not known. */
static double peak_rate(const struct ps_shape *shape)
{
    double peak = 0;
    for (unsigned i = 0; i < shape->piece_count; i++)
        peak = fmax(peak, shape->pieces[i].rate * 1e9);
    return peak;
}

static uint32_t threads_wanted(const struct ps_load *load)
{
    const struct ps_load_config *config = load->config;
    uint32_t wanted = config->threads;
    if (wanted == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        double needed = ceil(peak_rate(load->shape) / THREAD_RATE),
               most = cores > 2 ? (double)(cores - 1) : 1;
        wanted = needed < 1 ? 1 : (uint32_t)(needed < most ? needed : most);
    }
    if (wanted > config->connections)
        wanted = config->connections;
    return wanted < PS_LOAD_THREADS_MAX ? wanted : PS_LOAD_THREADS_MAX;
}

static uint64_t block_bytes(const struct ps_load *load)
{
    uint64_t bytes = BLOCKS_BYTES_MAX / ((uint64_t)load->config->connections * load->ops->blocks_max);
    uint64_t event_max = ps_content_event_bytes_max(load->content);
    if (bytes > BLOCK_BYTES_MAX)
        bytes = BLOCK_BYTES_MAX;
    if (bytes < BLOCK_BYTES_MIN)
        bytes = BLOCK_BYTES_MIN;
    return bytes > event_max ? bytes : event_max;
}

static enum ps_status senders_create(struct ps_load *load, struct ps_err *err)
{
    const struct ps_load_config *config = load->config;
    struct ps_sender_config sender = {
        .ops = load->ops,
        .plan = load->plan,
        .content = load->content,
        .shape = load->shape,
        .lane_step = threads_wanted(load),
        .lane_total = config->connections,
        .source_first = config->source_first,
        .event_max = config->event_max,
        .duration_ns = config->shape.duration_ns > 0 ? config->shape.duration_ns : PS_NEVER,
        .seed = config->seed,
        .connect_over_ns = config->connect_over_ns,
        .block_bytes = block_bytes(load),
        .spin = config->spin,
    };
    for (uint32_t i = 0; i < sender.lane_step; i++) {
        sender.lane_first = i;
        sender.cpu = config->cpu_count > 0 ? config->cpus[i % config->cpu_count] : -1;
        if (ps_sender_create(&load->senders[i], &sender, err) != PS_OK)
            return PS_FAIL;
        load->thread_count++;
    }
    return PS_OK;
}

static enum ps_status create(struct ps_load *load, struct ps_err *err)
{
    const struct ps_load_config *config = load->config;
    struct ps_content_config content = config->content;
    if (config->source_first + (uint64_t)config->connections - 1 > PS_STAMP_SOURCE_MAX)
        return ps_err_set(err, "--first-source %u: with %u connections the highest source would be above %u",
                          config->source_first, config->connections, PS_STAMP_SOURCE_MAX);
    if (ps_shape_create(&load->shape, &config->shape, err) != PS_OK ||
        target_create(load, &content.framing, err) != PS_OK)
        return PS_FAIL;
    content.run = config->run;
    content.seed = config->seed;
    if (ps_content_create(&load->content, &content, err) != PS_OK)
        return PS_FAIL;
    return senders_create(load, err);
}

static void destroy(struct ps_load *load)
{
    for (uint32_t i = 0; i < load->started; i++)
        ps_sender_stop(load->senders[i]);
    for (uint32_t i = 0; i < load->started; i++)
        pthread_join(load->threads[i], NULL);
    load->started = 0;
    for (uint32_t i = 0; i < load->thread_count; i++)
        ps_sender_destroy(load->senders[i]);
    ps_target_unplan(load->ops, load->plan);
    ps_content_destroy(load->content);
    ps_shape_destroy(load->shape);
    ps_url_fini(&load->url);
}

/* ---- starting ---- */

/* Keeps the main thread off the senders' CPUs, because it wakes up so often that it would disturb a pinned sender. */
static void leave_sender_cpus(const struct ps_load_config *config)
{
    cpu_set_t allowed;
    if (config->cpu_count == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (uint32_t i = 0; i < config->cpu_count; i++)
        CPU_CLR((size_t)config->cpus[i], &allowed);
    if (CPU_COUNT(&allowed) > 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

static enum ps_status threads_start(struct ps_load *load, struct ps_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* only the main thread handles signals */
    for (; load->started < load->thread_count; load->started++) {
        if (pthread_create(&load->threads[load->started], NULL, ps_sender_run,
                           load->senders[load->started]) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    leave_sender_cpus(load->config);
    return load->started == load->thread_count ? PS_OK : ps_err_set(err, "cannot start a thread");
}

static enum ps_status not_connected(struct ps_load *load, struct ps_err *err)
{
    char reason[PS_SENDER_REASON_BYTES] = "";
    uint64_t up = 0;
    for (uint32_t i = 0; i < load->thread_count; i++) {
        up += ps_statistics_read(&load->senders[i]->statistics.memory_up);
        if (reason[0] == '\0')
            ps_sender_last_reason(load->senders[i], reason, sizeof reason);
    }
    const char *what = reason[0] != '\0' ? reason : "no answer";
    const struct ps_quantity_text tried = ps_quantity_print_ns(load->config->connect_ns);
    if (load->config->connections > 1)
        return ps_err_set(err, "%s: %s (%s of %s connections were made within %s; use --wait to keep trying)",
                          load->url.text, what, ps_quantity_print_count(up).text,
                          ps_quantity_print_count(load->config->connections).text, tried.text);
    return ps_err_set(err, "%s: %s (tried for %s; use --wait to keep trying)", load->url.text, what,
                      tried.text);
}

/* Called when a target could not be opened: stops all senders and returns the error of the one that failed. */
static enum ps_status failed(struct ps_load *load, uint32_t sender, struct ps_err *err)
{
    for (uint32_t i = 0; i < load->started; i++)
        ps_sender_stop(load->senders[i]);
    for (uint32_t i = 0; i < load->started; i++)
        pthread_join(load->threads[i], NULL);
    load->started = 0;
    *err = load->senders[sender]->failure;
    return PS_FAIL;
}

/* Waits until every lane has been up once. */
static enum ps_status connect_wait(struct ps_load *load, struct ps_live *live, struct ps_err *err)
{
    const struct ps_load_config *config = load->config;
    uint64_t begin_ns = ps_pacer_now();
    for (;;) {
        uint32_t ready = 0;
        uint64_t up = 0;
        for (uint32_t i = 0; i < load->thread_count; i++) {
            enum ps_sender_phase phase = ps_sender_phase(load->senders[i]);
            if (phase == PS_SENDER_FAILED)
                return failed(load, i, err);
            ready += phase == PS_SENDER_READY;
            up += ps_statistics_read(&load->senders[i]->statistics.memory_up);
        }
        if (ready == load->thread_count)
            return PS_OK;
        if (interrupts(config) > 0)
            return ps_err_set(err, "%s: interrupted before it was connected", load->url.text);
        if (config->connect_ns != PS_NEVER &&
            ps_pacer_now() - begin_ns >= config->connect_over_ns + config->connect_ns)
            return not_connected(load, err);
        if (ps_pacer_now() - begin_ns > SHOW_CONNECTING_NS)
            ps_live_status(live, "connecting to %s: %s of %s", load->url.text,
                           ps_quantity_print_count(up).text,
                           ps_quantity_print_count(config->connections).text);
        usleep(5000);
    }
}

/* ---- running ---- */

/* Returns when the schedule ends by itself, or PS_NEVER when that is not known in advance. */
static uint64_t schedule_end_ns(const struct ps_load *load)
{
    const struct ps_load_config *config = load->config;
    uint64_t end_ns = config->shape.duration_ns > 0 ? config->shape.duration_ns : PS_NEVER,
             last_ns = PS_NEVER;
    unsigned piece = 0;
    if (load->shape->trace_ns != NULL)
        last_ns = load->shape->trace_ns[load->shape->trace_count - 1] + 1;
    else if (config->event_max > 0 && !load->shape->closed && !load->shape->poisson)
        last_ns = ps_shape_due_ns(load->shape, (double)config->event_max, &piece);
    return last_ns < end_ns ? last_ns : end_ns;
}

static bool all_done(const struct ps_load *load)
{
    for (uint32_t i = 0; i < load->thread_count; i++) {
        if (ps_sender_phase(load->senders[i]) != PS_SENDER_DONE)
            return false;
    }
    return true;
}

static bool any_target_gone(const struct ps_load *load)
{
    bool target_gone = false;
    for (uint32_t i = 0; i < load->thread_count; i++)
        target_gone = target_gone || ps_sender_target_gone(load->senders[i]);
    return target_gone;
}

/* Ends the schedule now, after an interruption. */
static void cut_all(struct ps_load *load, struct ps_load_watch *watch, struct ps_load_result *result)
{
    uint64_t now_ns = ps_pacer_now(), since_ns = now_ns > load->start_ns ? now_ns - load->start_ns : 0;
    result->interrupted = true;
    if (since_ns >= watch->end_ns)
        return;
    watch->end_ns = since_ns;
    for (uint32_t i = 0; i < load->thread_count; i++)
        ps_sender_cut(load->senders[i], since_ns);
}

/* Writes the manifest of a run that goes on, so that a verifier knows what was completed even if this process is killed. Not
 * into a pipe, whose reader expects one manifest. A failure is told at the end, when the last one cannot be written either. */
static void manifest_write_running(const struct ps_load *load, const struct ps_load_result *result)
{
    const struct ps_load_config *config = load->config;
    struct ps_load_result now = {.run = config->run,
                                 .running = true,
                                 .source_first = config->source_first,
                                 .source_count = config->connections,
                                 .start_wall_ns = result->start_wall_ns,
                                 .size_bytes = (uint32_t)(ps_content_event_bytes_mean(load->content) + 0.5)};
    struct ps_err err = {.length = 0};
    struct stat facts;
    uint64_t now_ns = ps_pacer_now();
    if (stat(config->manifest, &facts) == 0 && !S_ISREG(facts.st_mode))
        return;
    now.sources = ps_must_alloc(now.source_count, sizeof *now.sources, "a manifest");
    now.seconds = now_ns > load->start_ns ? (double)(now_ns - load->start_ns) / 1e9 : 0;
    for (uint32_t i = 0; i < load->thread_count; i++)
        ps_load_sources_read(load->senders[i], now.sources);
    ps_summary_manifest_write(config->manifest, &now, &err);
    free(now.sources);
}

/* Watches the run until everything is completed or the time to settle is over. */
static void watch_run(struct ps_load *load, struct ps_load_watch *watch, struct ps_load_result *result)
{
    const struct ps_load_config *config = load->config;
    uint64_t next_ns = load->start_ns + LOOK_NS, deadline_ns = PS_NEVER;
    uint64_t manifest_ns = config->manifest != NULL ? load->start_ns : PS_NEVER;
    while (!all_done(load) && interrupts(config) < 2) {
        uint64_t now_ns = ps_pacer_now();
        if ((interrupts(config) > 0 || any_target_gone(load)) && !result->interrupted)
            cut_all(load, watch, result);
        if (now_ns >= next_ns) {
            ps_load_watch_look(watch, now_ns);
            next_ns += (now_ns - next_ns) / LOOK_NS * LOOK_NS + LOOK_NS;
        }
        if (now_ns >= manifest_ns) {
            manifest_write_running(load, result);
            manifest_ns =
                now_ns + (config->connections > MANIFEST_SOURCES_FEW ? MANIFEST_MANY_NS : MANIFEST_NS);
        }
        if (watch->end_ns == PS_NEVER && load->shape->poisson && config->event_max > 0 &&
            ps_load_watch_due(watch, now_ns - load->start_ns) == config->event_max)
            watch->end_ns = now_ns - load->start_ns;
        if (deadline_ns == PS_NEVER && watch->end_ns != PS_NEVER && now_ns > load->start_ns &&
            now_ns - load->start_ns >= watch->end_ns)
            deadline_ns = load->start_ns + watch->end_ns + config->settle_ns;
        if (now_ns >= deadline_ns)
            break;
        now_ns = ps_pacer_now();
        if (now_ns < next_ns)
            usleep(next_ns - now_ns < 5 * PS_NS_PER_MS ? (useconds_t)((next_ns - now_ns) / 1000 + 1) : 5000);
    }
    ps_load_watch_end(watch, ps_pacer_now());
    for (uint32_t i = 0; i < load->thread_count; i++)
        ps_sender_stop(load->senders[i]);
    for (uint32_t i = 0; i < load->started; i++)
        pthread_join(load->threads[i], NULL);
    load->started = 0;
}

/* ---- the whole run ---- */

static enum ps_status run(struct ps_load *load, struct ps_live *live, struct ps_load_result *result,
                          struct ps_err *err)
{
    const struct ps_load_config *config = load->config;
    struct ps_load_watch watch = {.config = config,
                                  .shape = load->shape,
                                  .senders = load->senders,
                                  .sender_count = load->thread_count,
                                  .live = live};
    if (threads_start(load, err) != PS_OK || connect_wait(load, live, err) != PS_OK)
        return PS_FAIL;
    ps_load_watch_init(&watch);
    double cpu_before_s = ps_usage_self().cpu_s;
    load->wall_offset_ns = wall_offset_ns();
    load->start_ns = watch.start_ns = ps_pacer_now() + HEAD_START_NS;
    result->start_wall_ns =
        config->start_wall_ns != 0 ? config->start_wall_ns : (int64_t)load->start_ns + load->wall_offset_ns;
    watch.end_ns = schedule_end_ns(load);
    for (uint32_t i = 0; i < load->thread_count; i++)
        ps_sender_start(load->senders[i], load->start_ns, (uint64_t)result->start_wall_ns);
    watch_run(load, &watch, result);
    result->cpu_seconds = ps_usage_self().cpu_s - cpu_before_s;
    result->clock_step_ms = (double)(wall_offset_ns() - load->wall_offset_ns) / 1e6;
    ps_load_result_make(load, &watch, result);
    ps_load_watch_fini(&watch);
    return PS_OK;
}

enum ps_status ps_load_run(const struct ps_load_config *config, struct ps_live *live,
                           struct ps_load_result *result, struct ps_err *err)
{
    struct ps_load load = {.config = config};
    memset(result, 0, sizeof *result);
    enum ps_status status =
        config->manifest != NULL ? ps_output_check("--manifest", config->manifest, err) : PS_OK;
    if (status == PS_OK)
        status = create(&load, err);
    if (status == PS_OK)
        status = run(&load, live, result, err);
    if (status == PS_OK) {
        result->run = config->run;
        result->source_first = config->source_first;
        result->completion =
            load.ops->completes != NULL ? load.ops->completes(load.plan) : load.ops->completion;
        result->size_bytes = (uint32_t)(ps_content_event_bytes_mean(load.content) + 0.5);
    }
    destroy(&load);
    if (status == PS_OK && config->manifest != NULL)
        status = ps_summary_manifest_write(config->manifest, result, err);
    return status;
}
