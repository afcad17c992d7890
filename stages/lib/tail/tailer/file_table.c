/* The table of the files that are followed, by number, by name and by inode, and the queue of those that have something to read. */
#include "stages/lib/tail/tailer/internal.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "files that are followed"
#define ALL_SLOTS(tailer)                                                                                    \
    &(tailer)->waiting, &(tailer)->turned_away, &(tailer)->open.deferred, &(tailer)->cut,                    \
        &(tailer)->cut_seen, &(tailer)->copies, &(tailer)->unresolved, &(tailer)->unreadable,                \
        &(tailer)->links, &(tailer)->heirs, &(tailer)->loose, &(tailer)->saves.changed,                      \
        &(tailer)->sink.announced, &(tailer)->unsaved, &(tailer)->unnumbered, &(tailer)->fillers

/* ---- chains ---- */

static struct ps_tail_log **name_chain(const struct ps_tail_table *table, unsigned place, const char *name)
{
    uint32_t hash = ps_name_hash(name, strlen(name)) * 31 + place;
    return &table->by_name[(hash ^ hash >> 16) & (table->room - 1)];
}

static struct ps_tail_log **inode_chain(const struct ps_tail_table *table, uint64_t inode)
{
    return &table->by_inode[(inode * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (table->room - 1)];
}

static void link_name(const struct ps_tail_table *table, struct ps_tail_log *log)
{
    struct ps_tail_log **chain = name_chain(table, log->directory, log->name);
    log->next_name = *chain;
    *chain = log;
}

static void link_inode(const struct ps_tail_table *table, struct ps_tail_log *log)
{
    struct ps_tail_log **chain = inode_chain(table, log->identity.inode);
    log->next_inode = *chain;
    *chain = log;
}

static void unlink_name(const struct ps_tail_table *table, struct ps_tail_log *log)
{
    struct ps_tail_log **at = name_chain(table, log->directory, log->name);
    while (*at != log)
        at = &(*at)->next_name;
    *at = log->next_name;
}

static void unlink_inode(const struct ps_tail_table *table, struct ps_tail_log *log)
{
    struct ps_tail_log **at = inode_chain(table, log->identity.inode);
    while (*at != log)
        at = &(*at)->next_inode;
    *at = log->next_inode;
}

static void table_grow(struct ps_tailer *tailer)
{
    struct ps_tail_table *table = &tailer->table;
    uint32_t before = table->room, room = before == 0 ? 64 : 2 * before;
    table->logs = ps_must_realloc(table->logs, room * sizeof(struct ps_tail_log *), PURPOSE);
    table->passes = ps_must_realloc(table->passes, room * sizeof *table->passes, PURPOSE);
    for (uint32_t i = before; i < room; i++) {
        table->logs[i] = NULL;
        table->passes[i] = 0;
    }
    free(table->by_name);
    free(table->by_inode);
    table->by_name = ps_must_alloc(room, sizeof(struct ps_tail_log *), PURPOSE);
    table->by_inode = ps_must_alloc(room, sizeof(struct ps_tail_log *), PURPOSE);
    table->room = room;
    struct ps_tail_slots *sets[] = {ALL_SLOTS(tailer)};
    for (size_t i = 0; i < PS_COUNT_OF(sets); i++)
        ps_tail_slots_grow(sets[i], room);
    for (uint32_t i = 0; i < before; i++) {
        if (table->logs[i] != NULL) {
            if (table->logs[i]->named)
                link_name(table, table->logs[i]);
            link_inode(table, table->logs[i]);
        }
    }
}

/* ---- finding ---- */

struct ps_tail_log *ps_tail_log_by_name(const struct ps_tail_table *table, unsigned place, const char *name)
{
    if (table->count == 0)
        return NULL;
    for (struct ps_tail_log *log = *name_chain(table, place, name); log != NULL; log = log->next_name) {
        if (log->directory == place && strcmp(log->name, name) == 0)
            return log;
    }
    return NULL;
}

struct ps_tail_log *ps_tail_log_by_inode(const struct ps_tail_table *table, uint64_t device, uint64_t inode)
{
    if (table->count == 0)
        return NULL;
    for (struct ps_tail_log *log = *inode_chain(table, inode); log != NULL; log = log->next_inode) {
        if (log->identity.inode == inode && (device == 0 || log->identity.device == device))
            return log;
    }
    return NULL;
}

struct ps_tail_log *ps_tail_log_of(const struct ps_tail_table *table, uint32_t number, uint32_t pass)
{
    struct ps_tail_log *log = number < table->room ? table->logs[number] : NULL;
    return log != NULL && log->pass == pass ? log : NULL;
}

/* ---- adding and removing ---- */

static char *path_of(const struct ps_tailer *tailer, unsigned place, const char *name)
{
    const char *folder = tailer->places[place].path;
    size_t length = strlen(folder), more = strlen(name);
    bool slash = length > 0 && folder[length - 1] == '/';
    char *path = ps_must_alloc(length + more + 2, 1, PURPOSE);
    memcpy(path, folder, length);
    if (!slash)
        path[length++] = '/';
    memcpy(path + length, name, more);
    return path;
}

struct ps_tail_log *ps_tail_log_add(struct ps_tailer *tailer, unsigned place,
                                    const struct ps_tail_change *change)
{
    uint32_t number = 0;
    if (tailer->table.count == tailer->table.room)
        table_grow(tailer);
    while (tailer->table.logs[(tailer->table.count + number) & (tailer->table.room - 1)] != NULL)
        number++;
    number = (tailer->table.count + number) & (tailer->table.room - 1);
    struct ps_tail_log *log = ps_must_alloc(1, sizeof *log, PURPOSE);
    tailer->table.logs[number] = log;
    tailer->table.count++;
    log->number = number;
    log->pass = ++tailer->table.passes[number];
    log->directory = place;
    log->group = change->group < 0 ? 0 : change->group;
    log->named = true;
    log->matches = log->matched = change->group >= 0;
    log->link = change->link;
    log->name = ps_must_copy_text(change->name, PURPOSE);
    log->path = path_of(tailer, place, change->name);
    log->size = change->size_bytes;
    log->identity = (struct ps_tail_identity){.device = change->device, .inode = change->inode};
    log->head.owner = log->earlier_head.owner = log;
    ps_tail_file_set(&log->file, -1, PS_TAIL_CACHE);
    ps_tail_slots_put(&tailer->unresolved, number);
    if (!log->matches)
        ps_tail_slots_put(&tailer->loose, number);
    if (log->link)
        ps_tail_slots_put(&tailer->links, number);
    link_name(&tailer->table, log);
    link_inode(&tailer->table, log);
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_files, tailer->table.count);
    return log;
}

static void queue_drop(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    struct ps_tail_log *before = NULL, **at = &tailer->queue_first;
    while (*at != log) {
        before = *at;
        at = &(*at)->next;
    }
    *at = log->next;
    if (tailer->queue_last == log)
        tailer->queue_last = before;
    log->queued = false;
}

void ps_tail_log_close(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->file.fd < 0)
        return;
    if (tailer->left == log)
        tailer->left = NULL;
    ps_tail_line_forget(log);
    ps_tail_file_close(&tailer->reader, &log->file);
    ps_tail_log_inactive(&tailer->open, log);
    log->state = PS_TAIL_LOG_CLOSED;
    if (log->read_offset == log->delivered_offset)
        ps_tail_marks_trim(&log->marks);
    ps_tail_closed(tailer);
}

static void log_free(struct ps_tail_log *log)
{
    ps_tail_marks_free(&log->marks);
    ps_tail_marks_free(&log->earlier.marks);
    free(log->name);
    free(log->other_name);
    free(log->path);
    free(log);
}

void ps_tail_logs_free(struct ps_tailer *tailer)
{
    struct ps_tail_slots *sets[] = {ALL_SLOTS(tailer)};
    for (uint32_t i = 0; i < tailer->table.room; i++) {
        struct ps_tail_log *log = tailer->table.logs[i];
        if (log == NULL)
            continue;
        if (log->file.fd >= 0)
            ps_tail_file_close(&tailer->reader, &log->file);
        ps_tail_line_forget(log);
        log_free(log);
    }
    for (size_t i = 0; i < PS_COUNT_OF(sets); i++)
        ps_tail_slots_free(sets[i]);
    free(tailer->table.logs);
    free(tailer->table.passes);
    free(tailer->table.by_name);
    free(tailer->table.by_inode);
}

void ps_tail_log_remove(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    PS_ASSERT(log->state != PS_TAIL_LOG_OPENING);
    uint64_t inode = log->resolved ? log->identity.inode : 0;
    if (log->queued)
        queue_drop(tailer, log);
    ps_tail_log_move(tailer, log, 0, 0);
    ps_tail_log_close(tailer, log);
    if (log->named)
        unlink_name(&tailer->table, log);
    unlink_inode(&tailer->table, log);
    ps_tail_copy_end(log);
    while (log->copies != NULL)
        ps_tail_copy_end(log->copies);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log->head, 0, 0);
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log->earlier_head, 0, 0);
    ps_tail_log_changed(tailer, log);
    tailer->table.logs[log->number] = NULL;
    tailer->table.count--;
    log_free(log);
    if (inode != 0)
        ps_tail_sink_positions_gone(&tailer->sink, inode);
    ps_gauge_set(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_files, tailer->table.count);
}

void ps_tail_log_rename(struct ps_tailer *tailer, struct ps_tail_log *log, const char *name, bool matches)
{
    if (log->named)
        unlink_name(&tailer->table, log);
    log->named = name != NULL;
    log->matches = matches;
    log->matched |= matches;
    if (!matches)
        ps_tail_slots_put(&tailer->loose, log->number);
    if (name == NULL)
        return;
    char *copy = ps_must_copy_text(name, PURPOSE);
    free(log->name);
    log->name = copy;
    link_name(&tailer->table, log);
    if (matches) {
        free(log->path);
        log->path = path_of(tailer, log->directory, name);
        ps_tail_log_changed(tailer, log);
        tailer->batch_key = PS_TAIL_NO_KEY; /* the file's header changes */
    }
}

void ps_tail_log_was(struct ps_tail_log *log, const char *path, int group)
{
    char *copy = ps_must_copy_text(path, PURPOSE);
    free(log->path);
    log->path = copy;
    log->group = group;
    log->matched = true;
}

/* ---- the queue ---- */

void ps_tail_log_queue(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (log->state == PS_TAIL_LOG_OPENING || log->waits)
        log->again = true;
    if (log->queued || log->waits || log->compressed || log->cut_waits || tailer->draining)
        return;
    if (log->state == PS_TAIL_LOG_COPY)
        ps_tail_copy_changed(log);
    if (log->state == PS_TAIL_LOG_CLOSED)
        ps_tail_log_open(tailer, log);
    if (log->state != PS_TAIL_LOG_OPEN)
        return;
    ps_tail_log_number(tailer, log);
    log->queued = true;
    log->turn_lines = 0;
    log->next = NULL;
    if (tailer->queue_last != NULL)
        tailer->queue_last->next = log;
    else
        tailer->queue_first = log;
    tailer->queue_last = log;
}

void ps_tail_log_unqueue_first(struct ps_tailer *tailer)
{
    struct ps_tail_log *log = tailer->queue_first;
    tailer->queue_first = log->next;
    if (log->next == NULL)
        tailer->queue_last = NULL;
    log->queued = false;
}

/* ---- positions ---- */

void ps_tail_log_move(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t read_offset,
                      int64_t delivered_offset)
{
    bool before = log->read_offset != log->delivered_offset;
    bool after = read_offset != delivered_offset;
    if (log->delivered_offset != delivered_offset)
        ps_tail_log_changed(tailer, log);
    log->read_offset = read_offset;
    log->delivered_offset = delivered_offset;
    if (after && !before)
        tailer->outstanding++;
    if (before && !after)
        tailer->outstanding--;
}

void ps_tail_log_lives(const struct ps_tail_log *log, struct ps_tail_life *lives)
{
    lives[0] = (struct ps_tail_life){.number = log->number, .pass = log->pass, .end = INT64_MAX};
    memcpy(&lives[1], log->before, (PS_TAIL_LIVES_BEFORE - 1) * sizeof *lives);
}

/* Returns the offset up to which this span delivers lines of a file with these former lives; 0 if the span belongs to none of them. */
static int64_t delivered_of(const struct ps_tail_life *lives, const struct ps_span *span)
{
    for (unsigned i = 0; i < PS_TAIL_LIVES_BEFORE; i++) {
        if (lives[i].pass != 0 && lives[i].number == span->stream && lives[i].pass == span->pass)
            return span->position < lives[i].end ? span->position : lives[i].end;
    }
    return 0;
}

/* Returns whether spans of another life may deliver lines that count for this file, or for the copy of its former content. */
static bool is_heir(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return (log->before[0].pass != 0 && log->delivered_offset < log->read_offset) ||
           log->earlier.until_ns > tailer->now_ns ||
           log->earlier.delivered_offset <
               log->earlier.read_offset; /* a comparison may still find the copy of the file */
}

void ps_tail_log_delivered(struct ps_tailer *tailer, const struct ps_span *span)
{
    struct ps_tail_log *log = ps_tail_log_of(&tailer->table, span->stream, span->pass);
    if (PS_LIKELY(log != NULL)) {
        if (span->position > log->delivered_offset)
            ps_tail_log_move(tailer, log, log->read_offset, span->position);
        if (PS_LIKELY(!log->copied))
            return;
        log->copied = log->read_offset != log->delivered_offset;
    }
    for (uint32_t left = tailer->heirs.count; left > 0;
         left--) { /* a span of a file that began anew, or was copied */
        uint32_t number = ps_tail_slots_take(&tailer->heirs);
        log = tailer->table.logs[number];
        if (log == NULL || !is_heir(tailer, log))
            continue;
        ps_tail_slots_put(&tailer->heirs, number);
        struct ps_tail_earlier *earlier = &log->earlier;
        int64_t delivered = delivered_of(earlier->lives, span);
        if (delivered > earlier->delivered_offset)
            earlier->delivered_offset = delivered;
        delivered = delivered_of(log->before, span);
        if (delivered > log->delivered_offset)
            ps_tail_log_move(tailer, log, log->read_offset, delivered);
    }
}

char *ps_tail_log_place_of(const struct ps_tailer *tailer, const struct ps_tail_log *log)
{
    return path_of(tailer, log->directory, log->name);
}

void ps_tail_log_index(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log->head, log->identity.head,
                                  log->identity.head_length);
}

void ps_tail_log_as_remembered(struct ps_tailer *tailer, struct ps_tail_log *log,
                               const struct ps_tail_position *position)
{
    log->identity.head = position->identity.head;
    log->identity.head_length = position->identity.head_length;
    ps_tail_log_move(tailer, log, position->offset, position->offset);
    ps_tail_marks_free(&log->marks);
    ps_tail_marks_copy(&log->marks, &position->marks, log->read_offset);
    ps_tail_log_numbers(log, &position->serial);
    ps_tail_over_take(tailer, log, position->over_ms);
    log->rest_mark = position->rest;
    log->anew_from = position->anew_from;
}

/* Keeps the former content's identity for a while: a copy of it may turn up. */
static void earlier_keep(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_marks_free(&log->earlier.marks);
    log->earlier = (struct ps_tail_earlier){.identity = log->identity,
                                            .read_offset = log->read_offset,
                                            .delivered_offset = log->delivered_offset,
                                            .marks = log->marks,
                                            .serial = log->serial,
                                            .until_ns = tailer->now_ns + PS_TAIL_EARLIER_NS};
    ps_tail_log_lives(log, log->earlier.lives);
    ps_tail_slots_put(&tailer->heirs, log->number);
    log->marks = (struct ps_tail_marks){.count = 0};
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log->earlier_head, log->identity.head,
                                  log->identity.head_length);
}

void ps_tail_log_forget_ahead(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    ps_tail_file_forget(&tailer->reader, &log->file);
    ps_tail_line_forget(log);
    if (tailer->left == log)
        tailer->left = NULL;
}

void ps_tail_log_restart(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    earlier_keep(tailer, log);
    ps_tail_log_numbers_forget(log);
    const int64_t known = log->read_offset > 0 ? log->read_offset : (int64_t)log->identity.head_length;
    log->anew_from = known > log->anew_from ? known : log->anew_from;
    log->found_at_start = false;
    log->pass = ++tailer->table.passes[log->number];
    log->copied = false;
    memset(log->before, 0, sizeof log->before);
    ps_tail_log_move(tailer, log, 0, 0);
    log->last.length = 0;
    log->line_scanned = 0;
    log->head_moves = false;
    log->filler = (struct ps_tail_filler){.waits = false};
    ps_tail_log_forget_ahead(tailer, log);
    ps_tail_log_changed(tailer, log);
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_truncated, 1);
}

void ps_tail_log_grow(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    char head[PS_TAIL_HEAD_BYTES];
    size_t want = log->read_offset < (int64_t)sizeof head ? (size_t)log->read_offset : sizeof head;
    bool any = log->identity.head_length == 0 || log->read_offset == 0;
    if (any) /* little is known of the beginning, and the file may have grown */
        want = sizeof head;
    if (log->identity.head_length >= want || log->state != PS_TAIL_LOG_OPEN ||
        log->file.way == PS_TAIL_THREAD || log->file.fetch != NULL)
        return;
    ssize_t length = ps_tail_read(&tailer->reader, &log->file, head, want, 0);
    if (length <
        /* the thread reads the bytes now; the next call finds them in memory, so nobody waits for the answer */
        0)
        ps_tail_file_forget(&tailer->reader, &log->file);
    if (length <= (ssize_t)log->identity.head_length || (!any && length != (ssize_t)want))
        return;
    want = ps_tail_head_end(head, (size_t)length, log->read_offset);
    if (want <= log->identity.head_length ||
        (!log->head_moves && ps_tail_head(head, log->identity.head_length) != log->identity.head))
        return; /* it has no more whole lines; or the file was truncated, and no look has noticed it yet */
    log->identity.head = ps_tail_head(head, want);
    log->identity.head_length = (uint32_t)want;
    ps_tail_log_index(tailer, log);
    ps_tail_log_changed(tailer, log);
}
