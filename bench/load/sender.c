#include "bench/load/sender.h"
#include "bench/load/lane/lane.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FINISH_LOOK_NS PS_NS_PER_MS /* how often finish of a target is called */

static uint64_t order_read(const uint64_t *order)
{
    return __atomic_load_n(order, __ATOMIC_RELAXED);
}

static void phase_set(struct ps_sender *sender, enum ps_sender_phase phase)
{
    __atomic_store_n(&sender->phase, phase, __ATOMIC_RELAXED);
}

enum ps_sender_phase ps_sender_phase(const struct ps_sender *sender)
{
    return (enum ps_sender_phase)order_read(&sender->phase);
}

void ps_sender_start(struct ps_sender *sender, uint64_t start_ns, uint64_t start_wall_ns)
{
    PS_ASSERT(start_ns != 0 && start_wall_ns != 0);
    __atomic_store_n(&sender->order_start_wall_ns, start_wall_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&sender->order_start_ns, start_ns, __ATOMIC_RELAXED);
}

void ps_sender_cut(struct ps_sender *sender, uint64_t end_ns)
{
    __atomic_store_n(&sender->order_cut_ns, end_ns, __ATOMIC_RELAXED);
}

void ps_sender_stop(struct ps_sender *sender)
{
    __atomic_store_n(&sender->order_stop, 1, __ATOMIC_RELAXED);
}

bool ps_sender_target_gone(const struct ps_sender *sender)
{
    return order_read(&sender->target_gone) != 0;
}

bool ps_sender_last_reason(struct ps_sender *sender, char *reason, size_t room)
{
    pthread_mutex_lock(&sender->lock);
    snprintf(reason, room, "%s", sender->last_reason);
    pthread_mutex_unlock(&sender->lock);
    return reason[0] != '\0';
}

/* ---- creation ---- */

static size_t block_stride(const struct ps_sender *sender)
{
    return (sizeof(struct ps_load_block) + sender->config.block_bytes + 4095) & ~(size_t)4095;
}

uint64_t ps_sender_block_count(const struct ps_sender *sender)
{
    return sender->memory_bytes / block_stride(sender);
}

const struct ps_load_block *ps_sender_block(const struct ps_sender *sender, uint64_t index)
{
    return (const void *)((const char *)sender->memory + index * block_stride(sender));
}

/* Allocates all blocks in one mapping: pages that are never used cost nothing. */
static enum ps_status blocks_create(struct ps_sender *sender, struct ps_err *err)
{
    size_t stride = block_stride(sender);
    size_t count = (size_t)sender->lane_count * sender->blocks_per_lane;
    sender->memory_bytes = stride * count;
    void *memory = mmap(NULL, sender->memory_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return ps_err_set(err, "no memory for %zu blocks", count);
    sender->memory = memory;
    for (size_t i = count; i-- > 0;) {
        struct ps_load_block *block = (void *)((char *)memory + i * stride);
        block->bytes = (char *)(block + 1);
        block->next = sender->free;
        sender->free = block;
    }
    return PS_OK;
}

enum ps_status ps_sender_create(struct ps_sender **made, const struct ps_sender_config *config,
                                struct ps_err *err)
{
    PS_ASSERT(config->lane_first < config->lane_total && config->ops->blocks_max >= 2);
    struct ps_sender *sender = ps_must_alloc_aligned(sizeof *sender, "a sender");
    sender->config = *config;
    sender->order_cut_ns = PS_NEVER;
    sender->blocks_per_lane = config->ops->blocks_max;
    sender->lane_count =
        (config->lane_total - config->lane_first + config->lane_step - 1) / config->lane_step;
    pthread_mutex_init(&sender->lock, NULL);
    sender->pacer.epoll = -1;
    sender->lanes = ps_must_alloc(sender->lane_count, sizeof *sender->lanes, "connections");
    sender->due_ns = ps_must_alloc(sender->lane_count, sizeof *sender->due_ns, "connections");
    sender->work_ns = ps_must_alloc(sender->lane_count, sizeof *sender->work_ns, "connections");
    sender->wall_ns = ps_must_alloc(PS_LOAD_BLOCK_EVENTS, sizeof *sender->wall_ns, "a sender");
    sender->writer = ps_content_writer_create(config->content);
    if (blocks_create(sender, err) != PS_OK) {
        ps_sender_destroy(sender);
        return PS_FAIL;
    }
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        ps_lane_init(&sender->lanes[i], sender, i);
        sender->due_ns[i] = sender->work_ns[i] = PS_NEVER;
    }
    *made = sender;
    return PS_OK;
}

void ps_sender_destroy(struct ps_sender *sender)
{
    if (sender == NULL)
        return;
    if (sender->memory != NULL)
        munmap(sender->memory, sender->memory_bytes);
    ps_content_writer_destroy(sender->writer);
    free(sender->lanes);
    free(sender->due_ns);
    free(sender->work_ns);
    free(sender->wall_ns);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}

/* ---- a cycle ---- */

static void fail(struct ps_sender *sender)
{
    phase_set(sender, PS_SENDER_FAILED);
}

/* Opens the lanes whose opening time has come. Returns the next opening time. */
static uint64_t open_lanes(struct ps_sender *sender, uint64_t now_ns)
{
    const struct ps_sender_config *config = &sender->config;
    if (sender->created_ns == 0)
        sender->created_ns = now_ns;
    while (sender->opened < sender->lane_count) {
        struct ps_lane *lane = &sender->lanes[sender->opened];
        uint64_t at_ns = sender->created_ns + config->connect_over_ns / config->lane_total * lane->number;
        if (now_ns < at_ns)
            return at_ns;
        if (ps_target_open(config->ops, config->plan, lane, &lane->state, &sender->failure) != PS_OK) {
            fail(sender);
            return PS_NEVER;
        }
        sender->work_ns[sender->opened++] = now_ns;
    }
    return PS_NEVER;
}

static bool all_seen_up(const struct ps_sender *sender)
{
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        if (!sender->lanes[i].seen_up)
            return false;
    }
    return true;
}

/* The order to start consists of two words; it is complete when both are set. */
static void start(struct ps_sender *sender, uint64_t start_ns)
{
    uint64_t start_wall_ns = order_read(&sender->order_start_wall_ns);
    if (start_ns == 0 || start_wall_ns == 0)
        return;
    sender->start_ns = start_ns;
    sender->start_wall_ns = start_wall_ns;
    phase_set(sender, PS_SENDER_RUNNING);
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        const struct ps_lane *lane = &sender->lanes[i];
        sender->due_ns[i] = ps_lane_given(lane) ? PS_NEVER : start_ns + lane->schedule.next_ns;
    }
    sender->down_since_ns = 0;
    if (sender->down_count > 0) { /* connections were lost before the start: an outage begins at the start */
        sender->outages[0].from_ns = start_ns;
        memcpy(sender->outages[0].reason, sender->last_reason, sizeof sender->last_reason);
        sender->down_since_ns = start_ns;
        sender->outage_count = 1;
    }
}

static void cut(struct ps_sender *sender, uint64_t end_ns)
{
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        struct ps_lane *lane = &sender->lanes[i];
        ps_schedule_cut(&lane->schedule, end_ns);
        if (ps_lane_given(lane))
            sender->due_ns[i] = PS_NEVER;
    }
}

/* Does one lane's part of a cycle; returns when the lane will have work again. */
static uint64_t lane_cycle(struct ps_sender *sender, uint32_t i, uint64_t now_ns)
{
    struct ps_lane *lane = &sender->lanes[i];
    if (sender->due_ns[i] <= now_ns) {
        bool fed = ps_lane_feed(lane, now_ns);
        sender->due_ns[i] =
            !fed || ps_lane_given(lane) ? PS_NEVER : sender->start_ns + lane->schedule.next_ns;
        sender->work_ns[i] = now_ns;
    }
    if (sender->work_ns[i] <= now_ns)
        ps_lane_work(lane, now_ns);
    uint64_t next_ns = sender->due_ns[i] < sender->work_ns[i] ? sender->due_ns[i] : sender->work_ns[i];
    if (sender->start_ns == 0 || lane->finished || !ps_lane_given(lane))
        return next_ns;
    lane->finished = sender->config.ops->finish(lane->state, now_ns);
    if (lane->finished && ++sender->finished == sender->lane_count)
        phase_set(sender, PS_SENDER_DONE);
    return next_ns < now_ns + FINISH_LOOK_NS ? next_ns : now_ns + FINISH_LOOK_NS;
}

uint64_t ps_sender_cycle(struct ps_sender *sender, uint64_t now_ns)
{
    enum ps_sender_phase phase = ps_sender_phase(sender);
    uint64_t wake_ns = PS_NEVER, order_ns;
    sender->next_due_ns = PS_NEVER;
    if (phase == PS_SENDER_DONE || phase == PS_SENDER_FAILED)
        return PS_NEVER;
    if (sender->opened < sender->lane_count)
        wake_ns = open_lanes(sender, now_ns);
    else if (phase == PS_SENDER_CONNECTING && all_seen_up(sender))
        phase_set(sender, PS_SENDER_READY);
    if (sender->start_ns == 0)
        start(sender, order_read(&sender->order_start_ns));
    if ((order_ns = order_read(&sender->order_cut_ns)) != PS_NEVER)
        cut(sender, order_ns);
    for (uint32_t i = 0; i < sender->opened; i++) {
        uint64_t next_ns = sender->due_ns[i] < sender->work_ns[i] ? sender->due_ns[i] : sender->work_ns[i];
        bool given =
            sender->due_ns[i] == PS_NEVER && sender->start_ns != 0 && ps_lane_given(&sender->lanes[i]);
        if (next_ns <= now_ns || given)
            next_ns = lane_cycle(sender, i, now_ns);
        if (next_ns < wake_ns)
            wake_ns = next_ns;
        if (sender->due_ns[i] < sender->next_due_ns)
            sender->next_due_ns = sender->due_ns[i];
    }
    return wake_ns;
}

/* ---- the thread ---- */

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    /* the command line already checked the CPU */
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

void *ps_sender_run(void *argument)
{
    struct ps_sender *sender = argument;
    prctl(PR_SET_TIMERSLACK, 1UL); /* sleeps end on time, not up to 50 us late */
    ps_pacer_init(&sender->pacer, epoll_create1(EPOLL_CLOEXEC), sender->config.spin,
                  &sender->statistics.gap_ns);
    bool pinned = false;
    while (order_read(&sender->order_stop) == 0) {
        uint64_t wake_ns = ps_sender_cycle(sender, ps_pacer_now());
        enum ps_sender_phase phase = ps_sender_phase(sender);
        if (phase == PS_SENDER_DONE || phase == PS_SENDER_FAILED)
            break;
        /* Pins only after the targets are open: threads of their libraries would inherit the mask. */
        if (!pinned && phase != PS_SENDER_CONNECTING && sender->config.cpu >= 0)
            pin(sender->config.cpu);
        pinned = pinned || phase != PS_SENDER_CONNECTING;
        int ready_count;
        ps_pacer_wait(&sender->pacer, sender->next_due_ns, wake_ns, &ready_count);
        for (int i = 0; i < ready_count; i++)
            sender->work_ns[sender->pacer.ready[i].data.u32] = 0;
    }
    ps_sender_close(sender);
    if (sender->pacer.epoll >= 0)
        close(sender->pacer.epoll);
    return NULL;
}

void ps_sender_close(struct ps_sender *sender)
{
    for (uint32_t i = 0; i < sender->opened; i++) {
        ps_target_close(sender->config.ops, sender->lanes[i].state);
        sender->lanes[i].state = NULL;
    }
}
