/* A store of the durable queue in memory: its calls fail as a plan says, and it notes forbidden calls of the durable
 * queue. Durable frames outlive a close. */
#pragma once

#include <stdlib.h>

#include "stages/lib/queue/queue_internal.h"

enum call { OPEN, APPEND, SYNC, FEED, LOAD, RENEW, CALLS };

#define FRAMES_MAX 256U

struct frame {
    char *payload;
    uint32_t length, count;
    uint64_t bytes;
    bool fed, taken, recorded; /* recorded: also after a restart */
};

static struct {
    pthread_mutex_t lock; /* consumers load */
    struct frame frames[FRAMES_MAX + 1];
    uint64_t appended, promised, fed;
    /* Frames that survive a failure. The durable queue learns their number when it opens the store again. */
    uint64_t durable;
    uint64_t missed_after; /* when this number of frames is taken, the store finds that `missed` events are
                            * lost */
    uint64_t missed, lost;
    bool open, failed;
    char lent[PS_EVENTS_PAYLOAD_BYTES];
    unsigned calls[CALLS];
    bool crowded;          /* there is too little room. Atomic */
    unsigned turns;        /* how often the durable queue's thread asked what is promised. Atomic */
    const char *complaint; /* a mistake of the durable queue */
} store = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The calls that fail, and how. */
static struct plan {
    enum call call;
    unsigned nth, again;   /* the nth call fails, and `again` calls later another one; 0: none */
    bool for_good;         /* each call from that one on fails */
    unsigned renews;       /* this number of calls of renew fail, too */
    uint64_t retry_ns;     /* 0: short */
    uint64_t durable;      /* frames that are durable although their sync fails */
    enum ps_store_fed fed; /* result of a feed that fails */
    bool reads_ahead, sync_each;
    bool feeds_nothing;  /* it feeds nothing after a failure until it is renewed, as with a lost connection */
    bool renews_in_part; /* a renew that fails has still learnt what is durable */
    uint64_t keep_alive_ms; /* 0: long */
} plan;

static void complain_unless(bool right, const char *text)
{
    if (!right && store.complaint == NULL)
        store.complaint = text;
}

static bool fails(enum call call)
{
    unsigned number = ++store.calls[call];
    if (call == RENEW)
        return number <= plan.renews;
    return call == plan.call && plan.nth > 0 &&
           (number == plan.nth || (plan.for_good && number > plan.nth) ||
            (plan.again > 0 && number == plan.nth + plan.again));
}

static void *shelf_open(const void *settings, const char *component, struct ps_err *err)
{
    complain_unless(!store.open, "it is opened twice");
    if (fails(OPEN)) {
        (void)ps_err_set(err, "cannot be opened");
        return NULL;
    }
    store.open = true;
    return &store;
}

/* Drops the frames after `durable`. */
static void drop_undurable(void)
{
    for (; store.appended > store.durable; store.appended--) {
        free(store.frames[store.appended].payload);
        store.frames[store.appended] = (struct frame){.payload = NULL};
    }
    store.promised = store.durable;
    store.failed = false;
}

static void shelf_close(void *handle)
{
    pthread_mutex_lock(&store.lock);
    complain_unless(store.open, "it is closed twice");
    drop_undurable();
    for (uint64_t number = 1; number <= store.appended; number++) {
        struct frame *frame = &store.frames[number];
        frame->taken = frame->recorded;
        frame->fed = false;
    }
    store.fed = 0;
    store.open = false;
    pthread_mutex_unlock(&store.lock);
}

static enum ps_status failed(struct ps_err *err)
{
    store.failed = true;
    return ps_err_set(err, "does not work");
}

static char *shelf_lend(void *handle, uint32_t room)
{
    return store.appended % 2 == 0 && room <= sizeof store.lent ? store.lent : NULL;
}

static enum ps_status shelf_append(void *handle, const void *payload, uint32_t length, uint32_t count,
                                   uint64_t bytes, uint64_t *number, struct ps_err *err)
{
    complain_unless(store.open && !store.failed, "it appends before it renews");
    complain_unless(count > 0 && bytes > 0, "it appends a frame of nothing");
    if (fails(APPEND))
        return failed(err);
    struct frame frame = {.payload = malloc(length), .length = length, .count = count, .bytes = bytes};
    memcpy(frame.payload, payload, length);
    pthread_mutex_lock(&store.lock);
    PS_ASSERT(store.appended < FRAMES_MAX);
    store.frames[++store.appended] = frame;
    pthread_mutex_unlock(&store.lock);
    *number = store.appended;
    return PS_OK;
}

static enum ps_status shelf_sync(void *handle, struct ps_err *err)
{
    complain_unless(store.open && !store.failed, "it syncs before it renews");
    if (fails(SYNC)) {
        store.durable =
            plan.durable < store.appended - store.promised ? store.promised + plan.durable : store.appended;
        return failed(err);
    }
    store.durable = store.promised = store.appended;
    for (uint64_t number = 1; number <= store.appended; number++)
        store.frames[number].recorded = store.frames[number].taken;
    return PS_OK;
}

static enum ps_status shelf_renew(void *handle, struct ps_err *err)
{
    complain_unless(store.open && store.failed, "it renews what works");
    if (fails(RENEW)) {
        if (plan.renews_in_part)
            drop_undurable();
        return failed(err);
    }
    drop_undurable();
    return PS_OK;
}

static uint64_t shelf_promised(const void *handle)
{
    __atomic_fetch_add(&store.turns, 1, __ATOMIC_RELAXED);
    return store.promised;
}

static void shelf_fill(const void *handle, struct ps_segment_fill *fill)
{
    *fill = (struct ps_segment_fill){.events = store.missed, .frames_lost = store.lost};
    for (uint64_t number = 1; number <= store.promised; number++) {
        const struct frame *frame = &store.frames[number];
        fill->events += frame->taken ? 0 : frame->count;
        fill->bytes += frame->taken ? 0 : frame->bytes;
    }
}

static enum ps_store_fed shelf_feed(void *handle, struct ps_store_frame *to, struct ps_err *err)
{
    complain_unless(store.open, "it is fed from while it is closed");
    if (plan.feeds_nothing && store.failed) {
        (void)ps_err_set(err, "the connection is lost");
        return PS_STORE_FAILED;
    }
    if (fails(FEED)) {
        (void)ps_err_set(err, "cannot be read");
        store.failed |= plan.fed == PS_STORE_FAILED;
        return plan.fed;
    }
    while (store.fed < store.promised && store.frames[store.fed + 1].taken)
        store.fed++;
    if (store.fed == store.promised)
        return PS_STORE_EMPTY;
    pthread_mutex_lock(&store.lock);
    struct frame *frame = &store.frames[++store.fed];
    frame->fed = true;
    *to = (struct ps_store_frame){
        .blocks = to->blocks, .length = frame->length, .count = frame->count, .bytes = frame->bytes};
    pthread_mutex_unlock(&store.lock);
    to->rows.first = (int64_t)store.fed;
    if (!plan.reads_ahead)
        return PS_STORE_FED;
    to->rows.payload = ps_block_take_oversize(to->blocks, to->length);
    if (to->rows.payload == NULL) {
        store.fed--;
        return PS_STORE_NO_MEMORY;
    }
    memcpy(to->rows.payload->base, frame->payload, frame->length);
    return PS_STORE_FED;
}

static enum ps_segment_read shelf_load(const void *settings, const struct ps_store_frame *from, void *to,
                                       struct ps_err *err)
{
    pthread_mutex_lock(&store.lock);
    const struct frame *frame = &store.frames[from->rows.first];
    bool failing = fails(LOAD);
    complain_unless(frame->fed && !frame->taken, "it loads what it has no right to");
    if (!failing)
        memcpy(to, plan.reads_ahead ? from->rows.payload->base : frame->payload, frame->length);
    pthread_mutex_unlock(&store.lock);
    if (failing)
        (void)ps_err_set(err, "cannot be read");
    return failing ? PS_SEGMENT_READ_FAILED : PS_SEGMENT_READ_WHOLE;
}

static void shelf_release(struct ps_store_frame *frame)
{
    if (frame->rows.payload != NULL)
        ps_block_drop(frame->blocks, frame->rows.payload);
    frame->rows.payload = NULL;
}

static void shelf_take(void *handle, const struct ps_store_frame *from)
{
    struct frame *frame = &store.frames[from->rows.first];
    complain_unless(frame->fed && !frame->taken, "it takes a frame twice");
    frame->taken = true;
    store.missed_after -= store.missed_after > 0;
    if (store.missed > 0 && store.missed_after == 0) {
        store.missed = 0;
        store.lost++;
    }
}

static void shelf_lost(void *handle, const struct ps_store_frame *frame)
{
    store.lost++;
    shelf_take(handle, frame);
}

static bool shelf_crowded(const void *settings, char *text, size_t room)
{
    bool crowded = __atomic_load_n(&store.crowded, __ATOMIC_RELAXED);
    if (crowded)
        snprintf(text, room, "the shelf is full");
    return crowded;
}

static struct ps_store_ops shelf_ops(void)
{
    return (struct ps_store_ops){.round_frames = plan.reads_ahead ? 2 : 8,
                                 .where = "on the shelf",
                                 .works_again = "it works again",
                                 .reads_again = "it is read again",
                                 .retry_ns = plan.retry_ns > 0 ? plan.retry_ns : PS_NS_PER_MS,
                                 .retry_max_ns = plan.retry_ns > 0 ? plan.retry_ns : 4 * PS_NS_PER_MS,
                                 .round_bytes = 1 << 20,
                                 .open = shelf_open,
                                 .close = shelf_close,
                                 .lend = plan.reads_ahead ? NULL : shelf_lend,
                                 .append = shelf_append,
                                 .sync = shelf_sync,
                                 .write = shelf_sync,
                                 .renew = shelf_renew,
                                 .promised = shelf_promised,
                                 .fill = shelf_fill,
                                 .feed = shelf_feed,
                                 .load = shelf_load,
                                 .release = plan.reads_ahead ? shelf_release : NULL,
                                 .lost = shelf_lost,
                                 .take = shelf_take,
                                 .crowded = shelf_crowded};
}

/* Sets `ops` to the shelf's, which the durable queue uses as long as it lives. */
static struct ps_queue_settings shelf_settings(struct ps_store_ops *ops, unsigned producers)
{
    *ops = shelf_ops();
    return (struct ps_queue_settings){.component = "channel c1",
                                      .store = ops,
                                      .capacity = 100000,
                                      .sync_each = plan.sync_each,
                                      .sync_every_ms = 1,
                                      .keep_alive_ms = plan.keep_alive_ms > 0 ? plan.keep_alive_ms : 600000,
                                      .quota_bytes = 32 << 20,
                                      .producers = producers,
                                      .consumers = 1};
}

static void shelf_clear(void)
{
    for (uint64_t number = 1; number <= store.appended; number++)
        free(store.frames[number].payload);
    memset(store.frames, 0, sizeof store.frames);
    memset(store.calls, 0, sizeof store.calls);
    store.appended = store.promised = store.fed = store.durable = 0;
    store.missed_after = store.missed = store.lost = 0;
    store.open = store.failed = store.crowded = false;
    store.complaint = NULL;
}
