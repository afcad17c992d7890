/* The store on disk: stages/lib/queue/segment behind the functions of stages/lib/queue/store.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/queue/store.h"
#include "stages/lib/queue/segment/writer.h"

#define RETRY_NS (3 * PS_NS_PER_S) /* like Flume's lifecycle supervisor */
#define ROUND_FRAMES 128U
/* The latest frames were written a moment ago, so the kernel has them in memory. */
#define RECENT_FRAMES 128U

struct log_store {
    struct ps_segment_writer writer;
    struct ps_key_ring *keys;
    const char *component;
};

static void report(void *argument, const char *text)
{
    ps_log(PS_LOG_WARN, ((const struct log_store *)argument)->component, "%s", text);
}

static void log_store_close(void *store_)
{
    struct log_store *store = store_;
    ps_segment_writer_close(&store->writer);
    ps_key_ring_destroy(store->keys);
    free(store);
}

/* Loads the keys. Without all of them the log is not opened, so that nothing is written. */
static bool load_keys(struct log_store *store, const struct ps_key_source *source, struct ps_err *err)
{
    if (source->provider == NULL)
        return true;
    store->keys = ps_key_source_load(source, err);
    return store->keys != NULL;
}

static void *log_store_open(const void *settings_, const char *component, struct ps_err *err)
{
    const struct ps_log_store_settings *settings = settings_;
    struct log_store *store = ps_must_alloc(1, sizeof *store, component);
    struct ps_segment_options options = {.directories = settings->data_directories,
                                         .state_directory = settings->state_directory,
                                         .segment_bytes = settings->segment_bytes,
                                         .first_segment_bytes = settings->first_segment_bytes,
                                         .files = settings->files,
                                         .active_key = settings->active_key,
                                         .plain = settings->plain,
                                         .report = report,
                                         .argument = store};
    store->component = component;
    if (load_keys(store, &settings->keys, err)) {
        options.keys = store->keys;
        if (ps_segment_writer_open(&store->writer, &options, err) == PS_OK)
            return store;
    }
    log_store_close(store);
    return NULL;
}

static struct ps_segment_log *log_of(const void *store)
{
    return ((const struct log_store *)store)->writer.log;
}

static char *log_store_lend(void *store, uint32_t room)
{
    return ps_segment_log_lend(log_of(store), room);
}

static enum ps_status log_store_append(void *store, const void *payload, uint32_t length, uint32_t count,
                                       uint64_t bytes, uint64_t *number, struct ps_err *err)
{
    struct ps_segment_place place;
    if (ps_segment_log_append(log_of(store), payload, length, count, bytes, &place, err) != PS_OK)
        return PS_FAIL;
    *number = place.number;
    return PS_OK;
}

static enum ps_status log_store_sync(void *store, struct ps_err *err)
{
    return ps_segment_log_sync(log_of(store), err);
}

static enum ps_status log_store_write(void *store, struct ps_err *err)
{
    return ps_segment_log_write(log_of(store), err);
}

static enum ps_status log_store_renew(void *store, struct ps_err *err)
{
    return ps_segment_log_renew(log_of(store), err);
}

static uint64_t log_store_promised(const void *store)
{
    return ps_segment_log_promised(log_of(store));
}

static void log_store_fill(const void *store, struct ps_segment_fill *fill)
{
    ps_segment_log_fill(log_of(store), fill);
}

static enum ps_store_fed log_store_feed(void *store, struct ps_store_frame *frame, struct ps_err *err)
{
    struct ps_segment_place *place = &frame->place;
    enum ps_segment_fed fed = ps_segment_log_feed(log_of(store), place, err);
    if (fed != PS_SEGMENT_FED)
        return fed == PS_SEGMENT_EMPTY ? PS_STORE_EMPTY : PS_STORE_UNREADABLE;
    frame->length = place->length;
    frame->count = place->count;
    frame->bytes = place->bytes;
    if (ps_segment_log_promised(log_of(store)) - place->number > RECENT_FRAMES)
        (void)posix_fadvise(place->fd, (off_t)place->offset, place->length, POSIX_FADV_WILLNEED);
    return PS_STORE_FED;
}

static enum ps_segment_read log_store_load(const void *settings, const struct ps_store_frame *frame, void *to,
                                           struct ps_err *err)
{
    struct ps_sealer sealer = {.context = NULL};
    enum ps_segment_read read = ps_segment_load(((const struct ps_log_store_settings *)settings)->files,
                                                &frame->place, &sealer, to, err);
    if (sealer.context != NULL)
        ps_sealer_fini(&sealer);
    return read;
}

/* The number of a frame alone is not enough. After a power cut that lost frames that were not synced, or after a
 * backup was restored, the log uses numbers again, but in another file, and each file has its own random number. */
static struct ps_identity log_store_identity(const struct ps_store_frame *frame)
{
    return (struct ps_identity){.system = "log",
                                .store = frame->place.log,
                                .part = frame->place.salt,
                                .position = frame->place.number,
                                .has_ordinal = true};
}

static void log_store_lost(void *store, const struct ps_store_frame *frame)
{
    ps_segment_log_lost(log_of(store), &frame->place);
}

static void log_store_take(void *store, const struct ps_store_frame *frame)
{
    ps_segment_log_take(log_of(store), &frame->place);
}

/* Returns whether a file system has less free space than required. */
static bool log_store_crowded(const void *settings_, char *text, size_t room)
{
    const struct ps_log_store_settings *settings = settings_;
    bool crowded = false;
    for (size_t i = 0; i < settings->data_directories.count; i++) {
        struct statvfs system;
        const char *directory = settings->data_directories.items[i];
        bool known = statvfs(directory, &system) == 0;
        uint64_t left = known ? (uint64_t)system.f_bavail * system.f_frsize : UINT64_MAX;
        if (settings->free_bytes != NULL)
            __atomic_store_n(&settings->free_bytes[i], left, __ATOMIC_RELAXED);
        if (crowded || left >= settings->least_free_bytes)
            continue;
        snprintf(text, room,
                 "%.300s: the file system has less than minimumRequiredSpace (%s) left: events are refused "
                 "until there is more room",
                 directory, ps_quantity_print_bytes(settings->least_free_bytes).text);
        crowded = true;
    }
    return crowded;
}

static void log_store_held(const void *store, char *text, size_t room)
{
    ps_segment_log_held(log_of(store), text, room);
}

const struct ps_store_ops ps_log_store = {
    .round_frames = ROUND_FRAMES,
    .where = "on disk",
    .works_again = "the disk can be written again",
    .reads_again = "the disk can be read again",
    .retry_ns = RETRY_NS,
    .retry_max_ns = RETRY_NS,
    .round_bytes = UINT64_C(4) << 20,
    .news_ns = 0, /* no delay, because recording deliveries writes only one block */
    .open = log_store_open,
    .close = log_store_close,
    .lend = log_store_lend,
    .append = log_store_append,
    .sync = log_store_sync,
    .write = log_store_write,
    .renew = log_store_renew,
    .promised = log_store_promised,
    .fill = log_store_fill,
    .feed = log_store_feed,
    .load = log_store_load,
    .identity = log_store_identity,
    .lost = log_store_lost,
    .take = log_store_take,
    .crowded = log_store_crowded,
    .held = log_store_held,
};
