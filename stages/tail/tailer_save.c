/* Positions: read at the start, written now and then, by the thread. */
#include "stages/tail/tailer_parts.h"
#include "stages/tail/trouble.h"

#include <stdlib.h>
#include <string.h>

struct saving {
    struct ps_tail_job job;
    char *path;
    struct ps_tail_positions positions;
    enum ps_status status;
    struct ps_err err;
};

static void saving_discard(struct ps_tail_job *job)
{
    struct saving *saving = (struct saving *)(void *)job;
    ps_tail_positions_free(&saving->positions);
    free(saving->path);
    free(saving);
}

static struct saving *saving_make(const struct ps_tailer *tailer, void (*run)(struct ps_tail_job *job),
                                  void (*answer)(void *owner, struct ps_tail_job *job))
{
    struct saving *saving = ps_must_alloc(1, sizeof *saving, "positions");
    saving->job = (struct ps_tail_job){.run = run, .answer = answer, .discard = saving_discard};
    saving->path = ps_must_copy_text(tailer->settings->position_path, "positions");
    return saving;
}

/* ---- reading ---- */

static void load_run(struct ps_tail_job *job)
{
    struct saving *loading = (struct saving *)(void *)job;
    loading->status = ps_tail_positions_load(loading->path, &loading->positions, &loading->err);
}

/* Files that were renamed have another name now: their directory reports them by their inode. The group of such a file is that of
 * the name that the position file has. */
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

/* Files that are gone are found by how they began. */
static void remembered_index(struct ps_tailer *tailer)
{
    const struct ps_tail_positions *remembered = &tailer->remembered;
    tailer->remembered_heads =
        ps_must_alloc(remembered->count + 1, sizeof *tailer->remembered_heads, "positions");
    for (size_t i = 0; i < remembered->count; i++)
        ps_tail_heads_put(&tailer->heads, &tailer->remembered_heads[i], remembered->items[i].identity.head,
                          remembered->items[i].identity.head_length);
}

static void load_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct saving *loading = (struct saving *)(void *)job;
    if (loading->status != PS_OK) {
        ps_err_append(&loading->err, "make it readable, or remove it to read all files from their beginning");
        ps_port_failed(tailer->port, &loading->err);
        tailer->load_failed = true;
    } else {
        if (loading->positions.cut)
            ps_log(PS_LOG_WARN, tailer->port->component,
                   "%s ends in the middle or has a mistake: the %zu positions before it are used; other "
                   "files are "
                   "read from their beginning",
                   loading->path, loading->positions.count);
        tailer->remembered = loading->positions;
        tailer->positions_hash = loading->positions.hash;
        loading->positions = (struct ps_tail_positions){.count = 0};
        remembered_index(tailer);
        for (size_t i = 0; i < tailer->remembered.count; i++)
            follow(tailer, &tailer->remembered.items[i]);
        tailer->loaded = true;
    }
    saving_discard(job);
}

void ps_tail_load(struct ps_tailer *tailer)
{
    struct saving *loading = saving_make(tailer, load_run, load_answer);
    ps_tail_thread_ask(&tailer->thread, &loading->job);
}

/* ---- writing ---- */

static void save_run(struct ps_tail_job *job)
{
    struct saving *saving = (struct saving *)(void *)job;
    saving->status = ps_tail_positions_save(saving->path, &saving->positions, &saving->err);
}

static void save_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct saving *saving = (struct saving *)(void *)job;
    tailer->saving = false;
    tailer->save_failed = saving->status != PS_OK;
    tailer->positions_hash = saving->positions.hash;
    ps_tail_trouble_set(tailer->settings->trouble, tailer->save_failed ? ps_err_join(&saving->err) : NULL);
    if (saving->status != PS_OK) {
        tailer->dirty = true;
        ps_count(tailer->port->counters, PS_COUNTER_GenericProcessingFail, 1);
        ps_log(PS_LOG_ERROR, tailer->port->component,
               "%s: after a restart, lines are read again until it can be written",
               ps_err_join(&saving->err));
    }
    saving_discard(job);
}

/* Whether the file may still be found. A look misses files that are renamed while it reads the names: the next ones find
 * them. */
static bool remembered_counts(const struct ps_tailer *tailer, const struct ps_tail_place *place,
                              const struct ps_tail_position *position)
{
    if (!place->looked)
        return true;
    return tailer->now_ns - place->looked_ns < PS_TAIL_EARLIER_NS && position->identity.device != 0 &&
           ps_tail_log_by_inode(tailer, position->identity.device, position->inode) == NULL;
}

/* What is known of files that were not found yet stays. */
static void remembered_add(const struct ps_tailer *tailer, struct ps_tail_positions *positions)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        const struct ps_tail_place *place = &tailer->places[i];
        const char *path = place->path;
        size_t length = strlen(path);
        for (size_t k = 0; k < tailer->remembered.count; k++) {
            const struct ps_tail_position *position = &tailer->remembered.items[k];
            if (strncmp(position->path, path, length) == 0 && remembered_counts(tailer, place, position))
                ps_tail_positions_add(positions, position);
        }
    }
}

/* Those before the delivered position: the last ones of a file that was read a moment ago, of which a copy may end before the position;
 * the one at the position of others. They are the log's. */
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

void ps_tail_save(struct ps_tailer *tailer)
{
    if (tailer->saving || !tailer->loaded)
        return;
    struct saving *saving = saving_make(tailer, save_run, save_answer);
    saving->positions.hash = tailer->positions_hash;
    remembered_add(tailer, &saving->positions);
    for (uint32_t i = 0; i < tailer->log_room; i++) {
        struct ps_tail_log *log = tailer->logs[i];
        if (log == NULL)
            continue;
        ps_tail_log_grow(tailer, log);
        const struct ps_tail_position *before =
            log->resolved ? NULL : ps_tail_positions_find(&tailer->remembered, log->identity.inode);
        if (before != NULL && before->path[0] != '\0')
            ps_tail_positions_add(&saving->positions, before);
        if (!log->resolved || log->state == PS_TAIL_LOG_COPY)
            continue;
        const struct ps_tail_position position = {.inode = log->identity.inode,
                                                  .offset = log->delivered_offset,
                                                  .path = log->path,
                                                  .identity = log->identity,
                                                  .marks = marks_to_save(tailer, log)};
        ps_tail_positions_add(&saving->positions, &position);
    }
    tailer->saving = true;
    tailer->dirty = false;
    ps_tail_thread_ask(&tailer->thread, &saving->job);
}
