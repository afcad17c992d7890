#include "stages/lib/spool/sink_positions.h"

#include "core/stage.h"
#include "stages/lib/spool/spool_internal.h"
#include "stages/lib/tail/lock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the number ---- */

/* Returns whether Flume was the last to write the meta file: Flume writes no inode. */
static bool is_overtaken(const struct ps_spool *spool)
{
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    bool flumes = ps_spool_meta_read(spool->meta_path, &meta, &err) == PS_SPOOL_META_READ &&
                  meta.target != NULL && meta.inode == 0;
    ps_spool_meta_fini(&meta);
    return flumes;
}

static bool has_number(const struct ps_spool *spool)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.id", spool->meta_path);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

enum ps_status ps_spool_sink_positions_open(struct ps_spool_sink_positions *sink,
                                            const struct ps_spool *spool, bool keeps, struct ps_err *err)
{
    *sink = (struct ps_spool_sink_positions){.keeps = keeps, .lock = -1};
    if (!keeps && !has_number(spool))
        return PS_OK;
    if (ps_tail_lock(spool->meta_path, "trackerDir", &sink->lock, err) != PS_OK)
        return PS_FAIL;
    if (!keeps)
        return ps_tail_source_id_forget(spool->meta_path, err);
    return ps_tail_sink_source_init(&sink->keeping, spool->meta_path, sink->lock, is_overtaken(spool),
                                    "trackerDir", err);
}

void ps_spool_sink_positions_close(struct ps_spool_sink_positions *sink)
{
    ps_tail_unlock(sink->lock);
    free(sink->records);
    ps_tail_gone_free(&sink->gone);
    ps_tail_gone_free(&sink->retired);
    *sink = (struct ps_spool_sink_positions){.lock = -1};
}

/* ---- the start ---- */

bool ps_spool_sink_positions_is_known(const struct ps_spool_sink_positions *sink)
{
    return !sink->keeps || sink->known;
}

bool ps_spool_sink_positions_answered(struct ps_spool_sink_positions *sink, const struct ps_span *span,
                                      struct ps_port *port)
{
    if (span->pass != PS_TAIL_KEEPING_PASS || span->stream != PS_TAIL_KEEPING_QUESTION || sink->known)
        return false;
    sink->records = ps_tail_sink_source_answer(&sink->keeping, port);
    sink->known = sink->records != NULL;
    return true;
}

void ps_spool_sink_positions_give(struct ps_spool_sink_positions *sink, struct ps_spool_fetch *fetch)
{
    free(fetch->records);
    fetch->records = sink->records;
    sink->records = NULL;
}

void ps_spool_sink_positions_take(struct ps_spool_sink_positions *sink, struct ps_spool_fetch *fetch)
{
    for (size_t i = 0; i < fetch->gone_count; i++)
        ps_tail_gone_add(&sink->gone, fetch->gone[i]);
    free(fetch->gone);
    fetch->gone = NULL;
    fetch->gone_count = 0;
}

void ps_spool_sink_positions_gone(struct ps_spool_sink_positions *sink, const struct ps_spool_file *file)
{
    char key[PS_TAIL_GONE_KEY_BYTES];
    ps_spool_sink_records_key(file, key);
    if (sink->keeps)
        ps_tail_gone_add(&sink->retired, key);
}

void ps_spool_sink_positions_synced(struct ps_spool_sink_positions *sink, bool synced)
{
    for (size_t i = 0; synced && i < sink->retired.count; i++)
        ps_tail_gone_add(&sink->gone, sink->retired.keys[i]);
    sink->retired.count = 0;
}

/* ---- batches ---- */

bool ps_spool_sink_positions_tell(struct ps_spool_sink_positions *sink, struct ps_batch *batch, bool draining,
                                  bool *told)
{
    uint32_t before = batch->span_count;
    *told = false;
    if (!sink->keeps)
        return true;
    if (!sink->asked) {
        sink->asked = !draining && ps_tail_sink_source_ask(&sink->keeping, batch);
        *told = sink->asked;
        return false;
    }
    if (sink->gone.count == 0)
        return sink->known;
    bool all = ps_tail_gone_tell(&sink->gone, &sink->keeping, batch, NULL, NULL);
    *told = batch->span_count > before;
    batch->flush |= *told; /* there may be no files for a long time */
    return all && sink->known;
}

bool ps_spool_sink_positions_span(const struct ps_spool_sink_positions *sink, struct ps_batch *batch,
                                  uint32_t stream, uint64_t position, const struct ps_spool_file *file)
{
    char key[PS_TAIL_GONE_KEY_BYTES];
    if (!sink->keeps)
        return ps_batch_span(batch, stream, 0, (int64_t)position, NULL);
    ps_spool_sink_records_key(file, key);
    const struct ps_stream_name name = ps_tail_sink_source_name(&sink->keeping, key);
    if (!ps_batch_span(batch, stream, 0, (int64_t)position, &name))
        return false;
    struct ps_stream_name *own = ps_batch_span_name(batch, stream, 0);
    if (own->detail.data == NULL)
        own->detail = (struct ps_slice){ps_batch_alloc(batch, ps_spool_sink_records_bound(file)), 0};
    return own->detail.data != NULL;
}

void ps_spool_sink_positions_record(const struct ps_spool_sink_positions *sink, struct ps_batch *batch,
                                    uint32_t stream, const struct ps_spool_file *file, uint64_t inside,
                                    enum ps_spool_sink_records_end end)
{
    if (!sink->keeps)
        return;
    struct ps_stream_name *own = ps_batch_span_name(batch, stream, 0);
    char *text = (char *)(uintptr_t)own->detail.data;
    own->detail.length = ps_spool_sink_records_print(file, inside, end, text);
}
