/* Reads the positions at the start, and keeps each one until its file is known. The job runs on the source's thread. */
#include "stages/lib/tail/tailer/internal.h"

#include <stdlib.h>
#include <string.h>

#define STEP_MAX 1000U            /* positions that are found or looked at in one tick */
#define WALK_NS (5 * PS_NS_PER_S) /* interval between two walks through the positions */

struct loading {
    struct ps_tail_job job;
    char *path;
    /* the positions that the sink keeps, to be read as well; NULL: none */
    char *records;
    struct ps_tail_position_file *position_file; /* held */
    /* Results: */
    struct ps_tail_positions positions;
    enum ps_status status;
    struct ps_err err;
};

static void loading_discard(struct ps_tail_job *job)
{
    struct loading *loading = (struct loading *)(void *)job;
    ps_tail_positions_free(&loading->positions);
    ps_tail_position_file_drop(loading->position_file);
    free(loading->records);
    free(loading->path);
    free(loading);
}

/* ---- reading ---- */

/* Adds the positions that the sink keeps. They take precedence over those of the position file: the sink has
 * committed its positions together with the lines, and the position file may be older. */
static enum ps_status records_add(struct loading *loading)
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
    return cut ? ps_err_set(&loading->err, "the positions that the sink keeps have a format that this "
                                           "version of penstock cannot read")
               : PS_OK;
}

/* Each save writes the positions again whose files were not found yet. That makes the position file younger, but not what is known of them. */
static void known_set(struct ps_tail_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++) {
        struct ps_tail_position *position = &positions->items[i];
        if (position->identity.born_ns == 0 && position->known_ms == 0)
            position->known_ms = (int64_t)(positions->saved_ns / PS_NS_PER_MS);
    }
}

static void load_run(struct ps_tail_job *job)
{
    struct loading *loading = (struct loading *)(void *)job;
    loading->status = ps_tail_positions_load(loading->path, &loading->positions, &loading->err);
    if (loading->status == PS_OK && loading->records != NULL)
        loading->status = records_add(loading);
    known_set(&loading->positions);
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
        if (strchr(name, '/') != NULL)
            continue; /* a file of a directory below, which may have a group of its own */
        ps_tail_directory_follow(tailer->places[i].directory, position->inode);
        position->group = ps_tail_directory_match(tailer->places[i].directory, name);
    }
}

static void load_answer(void *owner, struct ps_tail_job *job)
{
    struct ps_tailer *tailer = owner;
    struct ps_tail_remembered *remembered = &tailer->remembered;
    struct loading *loading = (struct loading *)(void *)job;
    size_t count = loading->positions.count;
    if (loading->status != PS_OK) {
        ps_err_append(&loading->err, "make it readable, or remove it to read all files from their beginning");
        ps_port_failed(tailer->port, &loading->err);
        remembered->failed = true;
    } else {
        if (loading->positions.cut)
            ps_log(PS_LOG_WARN, tailer->port->component,
                   "%s is incomplete or has a syntax error: the source uses the %zu positions before the "
                   "error, and reads other files from their beginning",
                   loading->path, count);
        remembered->positions = loading->positions;
        loading->positions = (struct ps_tail_positions){.count = 0};
        remembered->fingerprints = ps_must_alloc(count + 1, sizeof *remembered->fingerprints, "positions");
        remembered->kept = ps_must_alloc(count + 1, sizeof *remembered->kept, "positions");
        remembered->left = count;
        remembered->was_read = true;
    }
    loading_discard(job);
}

bool ps_tail_load_go_on(struct ps_tailer *tailer)
{
    struct ps_tail_remembered *remembered = &tailer->remembered;
    if (remembered->loaded || !remembered->was_read)
        return remembered->loaded;
    for (unsigned left = STEP_MAX; left > 0 && remembered->at < remembered->positions.count; left--) {
        size_t index = remembered->at++;
        struct ps_tail_position *position = &remembered->positions.items[index];
        remembered->kept[index] = true;
        ps_tail_fingerprint_index_put(
            &tailer->fingerprints, &remembered->fingerprints[index], position->identity.head,
            position->identity.head_length); /* files that are gone are found by it */
        follow(tailer, position);
    }
    remembered->loaded = remembered->at == remembered->positions.count;
    if (remembered->loaded)
        remembered->at = 0;
    return remembered->loaded;
}

void ps_tail_load(struct ps_tailer *tailer, char *records)
{
    struct loading *loading = ps_must_alloc(1, sizeof *loading, "positions");
    loading->job = (struct ps_tail_job){.run = load_run, .answer = load_answer, .discard = loading_discard};
    loading->path = ps_must_copy_text(tailer->settings->position_path, "positions");
    loading->records = records;
    loading->position_file = tailer->saves.position_file;
    ps_tail_position_file_hold(loading->position_file);
    tailer->remembered.loads = true;
    ps_tail_thread_ask(&tailer->thread, &loading->job);
}

/* ---- dropping positions that a file took over, or that no file can take over ---- */

static void remembered_drop(struct ps_tailer *tailer, size_t index)
{
    struct ps_tail_remembered *remembered = &tailer->remembered;
    if (!remembered->kept[index])
        return;
    if (remembered->positions.items[index].path[0] != '\0') /* no file has this position */
        ps_tail_sink_positions_gone(&tailer->sink, remembered->positions.items[index].inode);
    remembered->kept[index] = false;
    remembered->left--;
    ps_tail_notes_add(&tailer->saves.notes, (uint32_t)index, true, NULL);
}

void ps_tail_position_taken(struct ps_tailer *tailer, struct ps_tail_position *position)
{
    position->path[0] = '\0';
    remembered_drop(tailer, (size_t)(position - tailer->remembered.positions.items));
}

bool ps_tail_is_young(const struct ps_tailer *tailer, uint64_t made_ns)
{
    const struct ps_tail_positions *positions = &tailer->remembered.positions;
    return positions->ours && positions->saved_ns != 0 && made_ns != 0 &&
           (positions->clock_was_set_back || made_ns + PS_TAIL_GRACE_NS >= positions->saved_ns);
}

bool ps_tail_position_is_of(const struct ps_tail_position *position, const struct ps_tail_identity *identity)
{
    const struct ps_tail_identity *known = &position->identity;
    if (known->inode != identity->inode || identity->born_ns == 0)
        return false;
    if (known->born_ns != 0) /* the device may have another number than before the restart */
        return known->born_ns == identity->born_ns;
    return known->device == identity->device &&
           identity->born_ns + PS_TAIL_GRACE_NS < (uint64_t)position->known_ms * PS_NS_PER_MS;
}

/* Returns whether the position's file may still be found. A look can miss a file that is renamed while the look reads
 * the names: a later look finds it. */
static bool is_kept(const struct ps_tailer *tailer, const struct ps_tail_position *position)
{
    const struct ps_tail_log *log = ps_tail_log_by_inode(&tailer->table, 0, position->inode);
    while (log != NULL && (log->identity.inode != position->inode || log->resolved))
        log = log->next_inode; /* several file systems may have the inode */
    if (position->path[0] != '\0' && log != NULL)
        return true;
    for (unsigned i = 0; position->path[0] != '\0' && i < tailer->place_count; i++) {
        const struct ps_tail_place *place = &tailer->places[i];
        if (strncmp(position->path, place->path, strlen(place->path)) == 0 &&
            (!place->looked ||
             (tailer->now_ns - place->looked_ns < PS_TAIL_EARLIER_NS && position->identity.device != 0 &&
              ps_tail_log_by_inode(&tailer->table, position->identity.device, position->inode) == NULL)))
            return true;
    }
    return false;
}

uint64_t ps_tail_remembered_tick(struct ps_tailer *tailer)
{
    struct ps_tail_remembered *remembered = &tailer->remembered;
    if (remembered->left == 0)
        return PS_NEVER;
    if (tailer->now_ns < remembered->ns)
        return remembered->ns;
    for (unsigned left = STEP_MAX; left > 0 && remembered->at < remembered->positions.count; left--) {
        size_t index = remembered->at++;
        if (remembered->kept[index] && !is_kept(tailer, &remembered->positions.items[index]))
            remembered_drop(tailer, index);
    }
    if (remembered->at < remembered->positions.count)
        return tailer->now_ns;
    remembered->at = 0;
    remembered->ns = tailer->now_ns + WALK_NS;
    return remembered->ns;
}

void ps_tail_remembered_free(struct ps_tail_remembered *remembered)
{
    ps_tail_positions_free(&remembered->positions);
    free(remembered->fingerprints);
    free(remembered->kept);
}
