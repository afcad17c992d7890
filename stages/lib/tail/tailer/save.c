/* Reads the positions at the start, and writes them at intervals. The jobs run on the source's thread. */
#include "stages/lib/tail/tailer/internal.h"
#include "stages/lib/tail/trouble.h"

#include <stdlib.h>
#include <string.h>

#define STEP_MAX 1000U /* files whose positions are taken or found in one tick */
#define REST_TIMES 10U /* after a save the thread pauses this many times the duration of the save */
#define REST_MAX_NS (30 * PS_NS_PER_S) /* longest pause: one slow save does not delay the next by minutes */
/* Interval between two walks through the positions that were read at the start. */
#define REMEMBERED_NS (5 * PS_NS_PER_S)

struct saving {
    struct ps_tail_job job;
    char *path;
    char *records;                               /* of the sink, to be read as well; NULL: none */
    struct ps_tail_position_file *position_file; /* held */
    struct ps_tail_positions positions;          /* result of reading */
    struct ps_tail_notes notes;                  /* changes to be written */
    uint64_t took_ns;
    enum ps_status status;
    struct ps_err err;
};

static void saving_discard(struct ps_tail_job *job)
{
    struct saving *saving = (struct saving *)(void *)job;
    ps_tail_positions_free(&saving->positions);
    ps_tail_notes_free(&saving->notes);
    ps_tail_position_file_drop(saving->position_file);
    free(saving->records);
    free(saving->path);
    free(saving);
}

static struct saving *saving_make(const struct ps_tailer *tailer, void (*run)(struct ps_tail_job *job),
                                  void (*answer)(void *owner, struct ps_tail_job *job))
{
    struct saving *saving = ps_must_alloc(1, sizeof *saving, "positions");
    saving->job = (struct ps_tail_job){.run = run, .answer = answer, .discard = saving_discard};
    saving->path = ps_must_copy_text(tailer->settings->position_path, "positions");
    saving->position_file = tailer->position_file;
    ps_tail_position_file_hold(saving->position_file);
    return saving;
}

/* ---- reading ---- */

/* The sink's positions count: it has committed them together with the lines. The position file may be behind. */
static enum ps_status records_add(struct saving *loading)
{
    struct ps_tail_positions kept;
    ps_tail_positions_parse(loading->records, strlen(loading->records), true, &kept);
    for (size_t i = 0; i < kept.count; i++)
        ps_tail_positions_add(&loading->positions, &kept.items[i]);
    if (kept.count > 0)
        loading->positions.ours = true;
    bool cut = kept.cut;
    ps_tail_positions_free(&kept);
    ps_tail_positions_sort(&loading->positions);
    return cut ? ps_err_set(&loading->err,
                            "the positions that the sink keeps cannot be read: they are not this "
                            "version's")
               : PS_OK;
}

static void load_run(struct ps_tail_job *job)
{
    struct saving *loading = (struct saving *)(void *)job;
    loading->status = ps_tail_positions_load(loading->path, &loading->positions, &loading->err);
    if (loading->status == PS_OK && loading->records != NULL)
        loading->status = records_add(loading);
    if (loading->status == PS_OK)
        ps_tail_position_file_remember(loading->position_file, &loading->positions);
}

/* Makes the directory report the position's file by its inode, because it may have been renamed. Sets the position's group by the
 * name in the position file. */
static void follow(struct ps_tailer *tailer, struct ps_tail_position *position)
{
    position->group = -1;
    for (unsigned i = 0; i < tailer->place_count; i++) {
        const char *path = tailer->places[i].path;
        size_t length = strlen(path);
        while (length > 0 && path[length - 1] == '/')
            length--;
        if (strncmp(position->path, path, length) != 0 || position->path[length] != '/')
            continue;
        const char *name = position->path + length + strspn(position->path + length, "/");
        ps_tail_directory_follow(tailer->places[i].directory, position->inode);
        position->group = ps_tail_directory_match(tailer->places[i].directory, name);
    }
}

static void load_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct saving *loading = (struct saving *)(void *)job;
    size_t count = loading->positions.count;
    if (loading->status != PS_OK) {
        ps_err_append(&loading->err, "make it readable, or remove it to read all files from their beginning");
        ps_port_failed(tailer->port, &loading->err);
        tailer->load_failed = true;
    } else {
        if (loading->positions.cut)
            ps_log(PS_LOG_WARN, tailer->port->component,
                   "%s ends in the middle or has a mistake: the %zu positions before it are used; other "
                   "files are read from their beginning",
                   loading->path, count);
        tailer->remembered = loading->positions;
        loading->positions = (struct ps_tail_positions){.count = 0};
        tailer->remembered_fingerprints =
            ps_must_alloc(count + 1, sizeof *tailer->remembered_fingerprints, "positions");
        tailer->remembered_kept = ps_must_alloc(count + 1, sizeof *tailer->remembered_kept, "positions");
        tailer->remembered_left = count;
        tailer->was_read = true;
    }
    saving_discard(job);
}

bool ps_tail_load_go_on(struct ps_tailer *tailer)
{
    struct ps_tail_positions *remembered = &tailer->remembered;
    if (tailer->loaded || !tailer->was_read)
        return tailer->loaded;
    for (unsigned left = STEP_MAX; left > 0 && tailer->remembered_at < remembered->count; left--) {
        size_t index = tailer->remembered_at++;
        struct ps_tail_position *position = &remembered->items[index];
        tailer->remembered_kept[index] = true;
        ps_tail_fingerprint_index_put(
            &tailer->fingerprints, &tailer->remembered_fingerprints[index], position->identity.head,
            position->identity.head_length); /* files that are gone are found by it */
        follow(tailer, position);
    }
    tailer->loaded = tailer->remembered_at == remembered->count;
    if (tailer->loaded)
        tailer->remembered_at = 0;
    return tailer->loaded;
}

void ps_tail_load(struct ps_tailer *tailer, char *records)
{
    struct saving *loading = saving_make(tailer, load_run, load_answer);
    loading->records = records;
    tailer->loads = true;
    ps_tail_thread_ask(&tailer->thread, &loading->job);
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
    struct saving *saving = (struct saving *)(void *)job;
    uint64_t rest_ns = REST_TIMES * saving->took_ns;
    rest_ns = tailer->now_ns + (rest_ns < REST_MAX_NS ? rest_ns : REST_MAX_NS);
    tailer->saving = false;
    tailer->save_failed = saving->status != PS_OK;
    if (!tailer->save_failed)
        tailer->save_tries = 0;
    if (tailer->save_ns < rest_ns)
        tailer->save_ns = rest_ns;
    ps_tail_trouble_set(tailer->settings->trouble, PS_TAIL_TROUBLE_POSITIONS,
                        tailer->save_failed ? ps_err_join(&saving->err) : NULL);
    if (saving->status != PS_OK) {
        tailer->dirty = true;
        ps_count(tailer->port->counters, PS_COUNTER_GenericProcessingFail, 1);
        ps_log(PS_LOG_ERROR, tailer->port->component,
               "%s: after a restart, lines are read again until it can be written",
               ps_err_join(&saving->err));
    }
    saving_discard(job);
}

void ps_tail_log_changed(struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    tailer->dirty = true;
    ps_tail_slots_put(&tailer->changed, log->number);
}

/* ---- the positions that the position file had at the start ---- */

static void remembered_drop(struct ps_tailer *tailer, size_t index)
{
    if (!tailer->remembered_kept[index])
        return;
    if (tailer->remembered.items[index].path[0] != '\0') /* no file has it */
        ps_tail_keep_gone(&tailer->sink, tailer->remembered.items[index].inode);
    tailer->remembered_kept[index] = false;
    tailer->remembered_left--;
    ps_tail_notes_add(&tailer->notes, (uint32_t)index, true, NULL);
}

void ps_tail_position_taken(struct ps_tailer *tailer, struct ps_tail_position *position)
{
    position->path[0] = '\0';
    remembered_drop(tailer, (size_t)(position - tailer->remembered.items));
}

/* Returns whether the position's file may still be found. A look can miss a file that is renamed while the look reads
 * the names: a later look finds it. */
static bool is_kept(const struct ps_tailer *tailer, const struct ps_tail_position *position)
{
    const struct ps_tail_log *log = ps_tail_log_by_inode(tailer, 0, position->inode);
    while (log != NULL && (log->identity.inode != position->inode || log->resolved))
        log = log->next_inode; /* several file systems may have the inode */
    if (position->path[0] != '\0' && log != NULL)
        return true;
    for (unsigned i = 0; position->path[0] != '\0' && i < tailer->place_count; i++) {
        const struct ps_tail_place *place = &tailer->places[i];
        if (strncmp(position->path, place->path, strlen(place->path)) == 0 &&
            (!place->looked ||
             ((tailer->now_ns - place->looked_ns < PS_TAIL_EARLIER_NS || ps_tail_texts_wait(tailer)) &&
              position->identity.device != 0 &&
              ps_tail_log_by_inode(tailer, position->identity.device, position->inode) == NULL)))
            return true;
    }
    return false;
}

uint64_t ps_tail_remembered_tick(struct ps_tailer *tailer)
{
    if (tailer->remembered_left == 0)
        return PS_NEVER;
    if (tailer->now_ns < tailer->remembered_ns)
        return tailer->remembered_ns;
    for (unsigned left = STEP_MAX; left > 0 && tailer->remembered_at < tailer->remembered.count; left--) {
        size_t index = tailer->remembered_at++;
        if (tailer->remembered_kept[index] && !is_kept(tailer, &tailer->remembered.items[index]))
            remembered_drop(tailer, index);
    }
    if (tailer->remembered_at < tailer->remembered.count)
        return tailer->now_ns;
    tailer->remembered_at = 0;
    tailer->remembered_ns = tailer->now_ns + REMEMBERED_NS;
    return tailer->remembered_ns;
}

/* ---- positions that changed ---- */

/* Returns the marks up to the delivered position: the last PS_TAIL_POSITION_MARKS_MAX of a file that was read recently, because a copy
 * of it may end before the position; else only the last one. The log keeps the ownership. */
static struct ps_tail_marks marks_to_save(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    const struct ps_tail_marks *marks = &log->marks;
    uint32_t end = marks->count, begin;
    while (end > 0 && marks->items[end - 1].offset > log->delivered_offset)
        end--;
    begin = end > PS_TAIL_POSITION_MARKS_MAX ? end - PS_TAIL_POSITION_MARKS_MAX : 0;
    if (tailer->now_ns - log->active_ns >= PS_TAIL_EARLIER_NS && end > 0)
        begin = end - 1;
    return (struct ps_tail_marks){.items = marks->items != NULL ? marks->items + begin : NULL,
                                  .count = end - begin};
}

/* Returns whether the file was made while the agent ran and no byte of it was read: after a restart, skipToEnd would skip it if
 * the position file did not name it. False if the position file had a position for its inode, which is kept instead. */
static bool is_new(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    const struct ps_tail_position *position =
        ps_tail_positions_find(&tailer->remembered, log->identity.inode);
    return tailer->settings->skip_to_end && log->named && log->matches &&
           (!log->found_at_start || log->start_bytes == 0) &&
           (!log->resolved || log->state == PS_TAIL_LOG_COPY) &&
           (position == NULL || position->path[0] == '\0');
}

/* Returns the member `text` of the position: whether the offset is in the file or in its text (struct ps_tail_position). */
static int64_t text_of(const struct ps_tail_log *log)
{
    if (log->text_left)
        return PS_TAIL_POSITION_OF_TEXT;
    if (!ps_tail_log_is_text(log))
        return 0;
    /* The next process surveys a damaged file again: it may be repaired meanwhile without a change of its size. */
    return log->text.done && log->text.end == PS_TAIL_TEXT_WHOLE && log->delivered_offset == log->read_offset
               ? log->text.stamp.size
               : PS_TAIL_POSITION_OF_TEXT;
}

static void note(struct ps_tailer *tailer, uint32_t number)
{
    struct ps_tail_log *log = tailer->logs[number];
    if (log != NULL)
        ps_tail_log_grow(tailer, log);
    if (log != NULL && is_new(tailer, log)) {
        const struct ps_tail_position position = {
            .inode = log->identity.inode,
            .path = log->path,
            .identity = {.device = log->identity.device, .inode = log->identity.inode}};
        ps_tail_notes_add(&tailer->notes, number, false, &position);
        return;
    }
    if (log == NULL || !log->resolved || log->state == PS_TAIL_LOG_COPY) {
        ps_tail_notes_add(&tailer->notes, number, false, NULL);
        return;
    }
    const struct ps_tail_position position = {.inode = log->identity.inode,
                                              .offset = log->delivered_offset,
                                              .text = text_of(log),
                                              .path = log->path,
                                              .identity = log->identity,
                                              .marks = marks_to_save(tailer, log)};
    ps_tail_notes_add(&tailer->notes, number, false, &position);
}

bool ps_tail_save_prepare(struct ps_tailer *tailer)
{
    for (unsigned left = STEP_MAX; left > 0 && tailer->changed.count > STEP_MAX; left--)
        note(tailer, ps_tail_slots_take(&tailer->changed));
    return tailer->changed.count <= STEP_MAX;
}

void ps_tail_save(struct ps_tailer *tailer)
{
    if (tailer->saving || !tailer->loaded)
        return;
    while (tailer->changed.count > 0)
        note(tailer, ps_tail_slots_take(&tailer->changed));
    struct saving *saving = saving_make(tailer, save_run, save_answer);
    saving->notes = tailer->notes;
    tailer->notes = (struct ps_tail_notes){.count = 0};
    tailer->saving = true;
    tailer->dirty = false;
    ps_tail_thread_ask(&tailer->thread, &saving->job);
}
