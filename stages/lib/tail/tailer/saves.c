/* Writes the positions at intervals. The job runs on the source's thread. */
#include "stages/lib/tail/tailer/internal.h"
#include "stages/lib/tail/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"

#define STEP_MAX 1000U /* files whose positions are taken in one tick */
#define REST_TIMES 10U /* after a save the thread pauses this many times the duration of the save */
#define REST_MAX_NS (30 * PS_NS_PER_S) /* longest pause: one slow save does not delay the next by minutes */
#define SAVE_TRIES_MAX 5U              /* after the first save at the end; the wait doubles after each */
#define SAVE_AGAIN_NS (50 * PS_NS_PER_MS)

struct saving {
    struct ps_tail_job job;
    char *path;
    struct ps_tail_position_file *position_file; /* held */
    struct ps_tail_notes notes;                  /* changes to be written */
    uint64_t took_ns;
    enum ps_status status;
    struct ps_err err;
};

static void saving_discard(struct ps_tail_job *job)
{
    struct saving *saving = (struct saving *)(void *)job;
    ps_tail_notes_free(&saving->notes);
    ps_tail_position_file_drop(saving->position_file);
    free(saving->path);
    free(saving);
}

/* ---- writing ---- */

static void save_run(struct ps_tail_job *job)
{
    struct saving *saving = (struct saving *)(void *)job;
    uint64_t start_ns = ps_clock_now().mono_ns;
    ps_tail_position_file_take(saving->position_file, &saving->notes);
    saving->status = ps_tail_position_file_write(saving->position_file, saving->path, &saving->err);
    saving->took_ns = ps_clock_now().mono_ns - start_ns;
}

static void save_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct ps_tail_saves *saves = &tailer->saves;
    struct saving *saving = (struct saving *)(void *)job;
    uint64_t rest_ns = REST_TIMES * saving->took_ns;
    rest_ns = tailer->now_ns + (rest_ns < REST_MAX_NS ? rest_ns : REST_MAX_NS);
    saves->saving = false;
    saves->failed = saving->status != PS_OK;
    if (!saves->failed)
        saves->tries = 0;
    saves->rest_ns = rest_ns;
    if (saves->due_ns < rest_ns)
        saves->due_ns = rest_ns;
    ps_tail_trouble_set(tailer->settings->trouble, PS_TAIL_TROUBLE_POSITIONS,
                        saves->failed ? ps_err_join(&saving->err) : NULL);
    if (saving->status != PS_OK) {
        saves->dirty = true;
        ps_count(tailer->port->counters, PS_COUNTER_GenericProcessingFail, 1);
        ps_log(PS_LOG_ERROR, tailer->port->component,
               "%s: after a restart, lines are read again until it can be written",
               ps_err_join(&saving->err));
    }
    ps_tail_numbers_saved(tailer);
    saving_discard(job);
}

void ps_tail_log_changed(struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    tailer->saves.dirty = true;
    ps_tail_slots_put(&tailer->saves.changed, log->number);
}

/* ---- positions that changed ---- */

/* Returns the marks up to the delivered position: the last PS_TAIL_POSITION_MARKS_MAX of a file that was read recently, because a copy
 * of it may end before the position; else only those of its last lines. The log keeps the ownership. */
static struct ps_tail_marks marks_to_save(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    const struct ps_tail_marks *marks = &log->marks;
    uint32_t end = marks->count, begin;
    while (end > 0 && marks->items[end - 1].offset > log->delivered_offset)
        end--;
    bool rests = tailer->now_ns - log->active_ns >= PS_TAIL_EARLIER_NS;
    uint32_t most = rests ? PS_TAIL_MARKS_LINES + 1 : PS_TAIL_POSITION_MARKS_MAX;
    begin = end > most ? end - most : 0;
    return (struct ps_tail_marks){.items = marks->items != NULL ? marks->items + begin : NULL,
                                  .count = end - begin};
}

/* Returns whether the file was made while the agent ran, or since it ran last, and no byte of it was read: after a restart,
 * skipToEnd would skip it if the position file did not name it. False if the position file had a position for its inode, which
 * is kept instead. */
static bool is_new(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    const struct ps_tail_position *position =
        ps_tail_positions_find(&tailer->remembered.positions, log->identity.inode);
    return tailer->settings->skip_to_end && log->named && log->matches &&
           (!log->found_at_start || log->start_bytes == 0 || log->is_young) &&
           (!log->resolved || log->state == PS_TAIL_LOG_COPY) &&
           (position == NULL || position->path[0] == '\0');
}

static void note(struct ps_tailer *tailer, uint32_t number)
{
    struct ps_tail_log *log = tailer->table.logs[number];
    if (log != NULL) {
        ps_tail_log_grow(tailer, log);
        /* At the start, the position of a file that was empty is not taken: its number would be lost. */
        log->serial_noted = log->resolved && log->state != PS_TAIL_LOG_COPY && log->identity.head_length > 0;
        log->serial_saved &= log->serial_noted;
        if (log->serial.own != 0 && !log->serial_saved)
            ps_tail_slots_put(&tailer->unsaved, number);
    }
    if (log != NULL && is_new(tailer, log)) {
        const struct ps_tail_position position = {
            .inode = log->identity.inode,
            .path = log->path,
            .identity = {.device = log->identity.device, .inode = log->identity.inode}};
        ps_tail_notes_add(&tailer->saves.notes, number, false, &position);
        return;
    }
    if (log == NULL || !log->resolved || log->state == PS_TAIL_LOG_COPY) {
        ps_tail_notes_add(&tailer->saves.notes, number, false, NULL);
        return;
    }
    const struct ps_tail_position position = {.inode = log->identity.inode,
                                              .offset = log->delivered_offset,
                                              .path = log->path,
                                              .identity = log->identity,
                                              .marks = marks_to_save(tailer, log),
                                              .serial = log->serial,
                                              .over_ms = ps_tail_over_ms(tailer, log),
                                              .rest = ps_tail_rest(log),
                                              .anew_from = log->anew_from};
    ps_tail_notes_add(&tailer->saves.notes, number, false, &position);
}

/* Notes some of the changed positions, a limited number in each call. Returns false when many are left. */
static bool save_prepare(struct ps_tailer *tailer)
{
    struct ps_tail_saves *saves = &tailer->saves;
    for (unsigned left = STEP_MAX; left > 0 && saves->changed.count > STEP_MAX; left--)
        note(tailer, ps_tail_slots_take(&saves->changed));
    return saves->changed.count <= STEP_MAX;
}

/* Asks the thread to write the positions, unless a save is under way. */
static void start_save(struct ps_tailer *tailer)
{
    struct ps_tail_saves *saves = &tailer->saves;
    if (saves->saving || !tailer->remembered.loaded)
        return;
    while (saves->changed.count > 0)
        note(tailer, ps_tail_slots_take(&saves->changed));
    struct saving *saving = ps_must_alloc(1, sizeof *saving, "positions");
    saving->job = (struct ps_tail_job){.run = save_run, .answer = save_answer, .discard = saving_discard};
    saving->path = ps_must_copy_text(tailer->settings->position_path, "positions");
    saving->position_file = saves->position_file;
    ps_tail_position_file_hold(saving->position_file);
    saving->notes = saves->notes;
    saves->notes = (struct ps_tail_notes){.count = 0};
    saves->saving = true;
    saves->dirty = false;
    ps_tail_thread_ask(&tailer->thread, &saving->job);
}

/* ---- when ---- */

bool ps_tail_saves_again(const struct ps_tail_saves *saves)
{
    return saves->dirty && !saves->saving && saves->tries <= SAVE_TRIES_MAX;
}

uint64_t ps_tail_saves_wait_ns(const struct ps_tail_saves *saves)
{
    return ps_backoff_doubled(SAVE_AGAIN_NS, PS_NEVER, saves->tries);
}

void ps_tail_save_at_end(struct ps_tailer *tailer)
{
    tailer->saves.again_ns = tailer->now_ns + ps_tail_saves_wait_ns(&tailer->saves);
    tailer->saves.tries++;
    start_save(tailer);
}

uint64_t ps_tail_saves_tick(struct ps_tailer *tailer)
{
    struct ps_tail_saves *saves = &tailer->saves;
    if (!saves->dirty || saves->saving)
        return PS_NEVER;
    if (tailer->draining && tailer->outstanding == 0)
        return ps_tail_saves_again(saves) ? saves->again_ns : PS_NEVER; /* ps_tailer_drain saves */
    if (saves->due_ns == 0)
        saves->due_ns = tailer->now_ns + tailer->settings->save_ns;
    bool at_once = tailer->unnumbered.count > 0 && saves->rest_ns < saves->due_ns;
    uint64_t due_ns = at_once ? saves->rest_ns : saves->due_ns;
    if (tailer->now_ns < due_ns)
        return due_ns;
    /* Files start over, or are matched with their originals. A kill after the save would lose the position of an original that has begun
     * anew, by which its copy is found. */
    if (tailer->now_ns < saves->due_ns + PS_NS_PER_S) {
        if (tailer->open.opening > 0)
            return PS_NEVER; /* the answer wakes the worker */
        if (tailer->now_ns < tailer->copies_pend_ns)
            return tailer->copies_pend_ns;
    }
    if (!save_prepare(tailer))
        return tailer->now_ns;
    saves->due_ns = tailer->now_ns + tailer->settings->save_ns;
    start_save(tailer);
    return PS_NEVER;
}
