/* The functions of the source that its worker calls in each cycle. */
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORK_STEPS_MAX 16U
#define WORK_BYTES_MAX (512 * 1024)
#define CLOSE_PATIENCE_MS 5000U
#define STOP_PATIENCE_MS 2000U
#define SETTLE_NS PS_NS_PER_S /* how long the save at the end waits for comparisons */
#define ANSWERS_MAX 32U       /* answers of the thread in one tick: each may start a comparison of files */

/* ---- open and close ---- */

static void tailer_free(struct ps_tailer *tailer)
{
    ps_tail_logs_free(tailer);
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_files, 0);
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_open_files, 0);
    if (tailer->thread.helper != NULL)
        ps_tail_thread_stop(&tailer->thread, STOP_PATIENCE_MS);
    ps_tail_places_close(tailer);
    ps_tail_gone_free(&tailer->sink.gone);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_remembered_free(&tailer->remembered);
    ps_tail_notes_free(&tailer->saves.notes);
    ps_tail_position_file_drop(tailer->saves.position_file);
    free(tailer);
}

struct ps_tailer *ps_tailer_open(const struct ps_tail_settings *settings,
                                 const struct ps_tail_sink_source *keeping, struct ps_port *port,
                                 struct ps_err *err)
{
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a source of files");
    tailer->settings = settings;
    tailer->sink.keeping = keeping;
    tailer->port = port;
    tailer->notify_fd = -1;
    tailer->batch_key = PS_TAIL_NO_KEY;
    tailer->open.max = ps_tail_open_files_max();
    ps_tail_reader_init(&tailer->reader, &tailer->thread);
    tailer->saves.position_file = ps_tail_position_file_create();
    if (ps_tail_thread_start(&tailer->thread, "tail", port->wake_fd, tailer, err) != PS_OK ||
        ps_tail_places_open(tailer, err) != PS_OK) {
        tailer_free(tailer);
        return NULL;
    }
    if (keeping == NULL)
        ps_tail_load(tailer, NULL);
    return tailer;
}

/* Waits until no file is being opened and no position is being written: by then copies have been matched with their originals. */
static void settle(struct ps_tailer *tailer)
{
    uint64_t until_ns = ps_clock_now().mono_ns + CLOSE_PATIENCE_MS * PS_NS_PER_MS;
    while (tailer->remembered.loads &&
           (tailer->saves.saving || tailer->open.opening > 0 || !tailer->remembered.loaded) &&
           !tailer->remembered.failed && ps_clock_now().mono_ns < until_ns) {
        if (!tailer->remembered.was_read || ps_tail_load_go_on(tailer))
            (void)ps_tail_thread_wait(&tailer->thread, 100);
    }
}

void ps_tailer_close(struct ps_tailer *tailer)
{
    tailer->draining = true;
    for (uint32_t left = tailer->copies.count; left > 0;)
        left = ps_tail_copies_at_end(tailer, left);
    settle(tailer);
    while (tailer->remembered.loaded && ps_tail_saves_again(&tailer->saves)) {
        if (tailer->saves.failed)
            (void)ps_tail_thread_wait(&tailer->thread,
                                      (uint32_t)(ps_tail_saves_wait_ns(&tailer->saves) / PS_NS_PER_MS));
        ps_tail_save_at_end(tailer);
        settle(tailer);
    }
    if (tailer->saves.saving || tailer->saves.failed || (tailer->remembered.loaded && tailer->saves.dirty))
        ps_log(PS_LOG_WARN, tailer->port->component,
               "the last positions could not be written: some lines will be read again");
    tailer_free(tailer);
}

/* ---- reading ---- */

/* Moves a file that waits for the thread out of the queue. */
static void wait_for_thread(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_log_unqueue_first(tailer);
    log->waits = true;
    ps_tail_slots_put(ps_tail_log_asked(log) ? &tailer->waiting : &tailer->turned_away, log->number);
}

void ps_tail_log_wait_no_more(struct ps_tailer *tailer, uint32_t number)
{
    struct ps_tail_log *log = tailer->table.logs[number];
    if (log == NULL || !log->waits)
        return;
    log->waits = false;
    ps_tail_log_queue(tailer, log);
}

/* Queues the files that waited for an answer of the thread. */
static void waiting_queue(struct ps_tailer *tailer)
{
    for (uint32_t left = tailer->waiting.count; left > 0; left--) {
        uint32_t number = ps_tail_slots_take(&tailer->waiting);
        const struct ps_tail_log *log = tailer->table.logs[number];
        if (log != NULL && log->waits && ps_tail_log_asked(log) && !ps_tail_log_answered(log))
            ps_tail_slots_put(&tailer->waiting, number);
        else
            ps_tail_log_wait_no_more(tailer, number);
    }
}

/* Queues as many of the files that waited for a fetch as there are free fetches. */
static void turned_away_queue(struct ps_tailer *tailer)
{
    for (unsigned busy = tailer->reader.fetch_count;
         busy < PS_TAIL_FETCHES_MAX && tailer->turned_away.count > 0; busy++)
        ps_tail_log_wait_no_more(tailer, ps_tail_slots_take(&tailer->turned_away));
}

/* Ends the turn of the first file in the queue if it has had all of its lines and other files wait. Returns false when other
 * files are still being opened: nothing is read until they are in the queue (the answer wakes the worker). */
static bool turn_check(struct ps_tailer *tailer)
{
    struct ps_tail_log *log = tailer->queue_first;
    if (log->turn_lines < tailer->settings->turn_lines)
        return true;
    if (tailer->open.opening > 0)
        return false;
    if (log->next != NULL) {
        ps_tail_log_unqueue_first(tailer);
        ps_tail_log_queue(tailer, log);
    }
    return true;
}

static void read_to_end(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_log_unqueue_first(tailer);
    ps_tail_log_grow(tailer, log);
    if (log->again && log->state == PS_TAIL_LOG_OPEN) {
        /* The bytes may have been read before the reported change. */
        log->again = false;
        ps_tail_log_queue(tailer, log);
    }
    bool crowded = tailer->open.crowded && tailer->open.deferred.count > 0;
    if ((crowded && ps_tail_log_may_close(log)) || ps_tail_filler_closes(tailer, log))
        ps_tail_log_close(tailer, log);
}

enum ps_result ps_tailer_work(struct ps_tailer *tailer, struct ps_batch *batch, const struct ps_now *now)
{
    bool moved = false, opening = false, starved = false;
    uint64_t before = batch->body_bytes;
    tailer->now_ns = now->mono_ns;
    if (!ps_tail_sink_positions_tell(tailer, batch, &moved))
        return moved ? PS_DONE : PS_IDLE;
    for (unsigned steps = 0; steps < WORK_STEPS_MAX && tailer->queue_first != NULL && !tailer->draining;
         steps++) {
        if (!turn_check(tailer)) {
            opening = true;
            break;
        }
        struct ps_tail_log *log = tailer->queue_first;
        if (PS_UNLIKELY(!ps_tail_log_is_numbered(tailer, log))) {
            ps_tail_log_unqueue_first(tailer);
            continue;
        }
        enum ps_tail_step step = ps_tail_log_read(tailer, log, batch);
        moved |= step == PS_TAIL_STEP_MOVED;
        if (step == PS_TAIL_STEP_FLUSH)
            batch->flush = true;
        if (step == PS_TAIL_STEP_FULL || step == PS_TAIL_STEP_FLUSH) {
            starved = !batch->full && !batch->flush;
            batch->flush |= starved && !ps_batch_is_empty(batch); /* its delivery frees memory */
            moved |= batch->full || batch->flush;
            break;
        }
        if (step == PS_TAIL_STEP_WAIT)
            wait_for_thread(tailer, log);
        else if (step == PS_TAIL_STEP_END)
            read_to_end(tailer, log);
        if (batch->body_bytes - before >= WORK_BYTES_MAX)
            break;
    }
    if (tailer->turned_away.count > 0)
        turned_away_queue(tailer);
    if (batch->body_bytes > before || batch->full)
        moved = true;
    if (moved && before == 0 && batch->count > 0)
        ps_count(tailer->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    bool waits = opening || starved;
    return moved || (tailer->queue_first != NULL && !tailer->draining && !waits) ? PS_DONE : PS_IDLE;
}

void ps_tailer_delivered(struct ps_tailer *tailer, const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count; i++) {
        if (tailer->sink.keeping == NULL || !ps_tail_sink_positions_answered(tailer, &batch->spans[i]))
            ps_tail_log_delivered(tailer, &batch->spans[i]);
    }
}

/* ---- timers ---- */

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Returns whether the save at the end waits, because copies are still compared: a kill after the save would lose the former position of an
 * original that has begun anew. */
static bool settles(const struct ps_tailer *tailer)
{
    return tailer->now_ns < tailer->settle_ns && (tailer->copies_left > 0 || tailer->open.opening > 0);
}

uint64_t ps_tailer_tick(struct ps_tailer *tailer, const struct ps_now *now)
{
    tailer->now_ns = now->mono_ns;
    unsigned answers = ps_tail_thread_some_answers(&tailer->thread, ANSWERS_MAX);
    if (answers > 0)
        waiting_queue(tailer);
    turned_away_queue(tailer);
    if (!ps_tail_load_go_on(tailer))
        return tailer->remembered.was_read ? tailer->now_ns : PS_NEVER;
    uint64_t next_ns = ps_tail_saves_tick(tailer);
    if (settles(tailer))
        next_ns = tailer->copies_left > 0 ? tailer->now_ns : tailer->settle_ns;
    if (answers == ANSWERS_MAX)
        next_ns = tailer->now_ns;
    if (tailer->draining)
        return next_ns;
    next_ns = earlier(next_ns, ps_tail_places_tick(tailer));
    next_ns = earlier(next_ns, ps_tail_copies_tick(tailer));
    next_ns = earlier(next_ns, ps_tail_remembered_tick(tailer));
    next_ns = earlier(next_ns, ps_tail_fillers_tick(tailer));
    next_ns = earlier(next_ns, ps_tail_rests_tick(tailer));
    ps_tail_deferred_tick(tailer);
    ps_tail_lack_tick(tailer);
    return next_ns;
}

bool ps_tailer_drain(struct ps_tailer *tailer, const struct ps_now *now)
{
    tailer->now_ns = now->mono_ns;
    if (!tailer->draining) {
        ps_tail_places_leave(tailer);
        tailer->copies_left = tailer->copies.count;
        tailer->settle_ns = tailer->now_ns + SETTLE_NS;
    }
    tailer->draining = true;
    tailer->copies_left = ps_tail_copies_at_end(tailer, tailer->copies_left);
    if (tailer->outstanding > 0 || settles(tailer))
        return false;
    if (!ps_tail_saves_again(&tailer->saves))
        return !tailer->saves.saving;
    if (!tailer->saves.failed || tailer->now_ns >= tailer->saves.again_ns)
        ps_tail_save_at_end(tailer);
    return false;
}
