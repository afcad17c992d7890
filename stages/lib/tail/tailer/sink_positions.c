/* Positions that the sink keeps in its transactions (ps_engine_source_ops.starts_from_records). Nothing is read before the
 * sink has reported the positions. Then each batch has, for each file with lines in it, the same data as the position file, by
 * which the file is found again. A file whose position changes without a line (a copy goes on where its original ended, a
 * file starts over, or is skipped) is announced before other lines are read, and so is a file that is gone: positions are
 * committed in the order of batches, so what is committed is always a state in which the source was. */
#include "stages/lib/tail/tailer/internal.h"

#include "core/decimal.h"
#include "stages/lib/tail/sink_source.h"
#include "stages/lib/text/json/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS_BYTES_MAX 192U
#define MARK_BYTES_MAX 48U

/* ---- details ---- */

static uint32_t detail_bound(const struct ps_tail_log *log)
{
    return (uint32_t)strlen(log->path) * PS_JSON_TEXT_GROWTH + MEMBERS_BYTES_MAX +
           PS_TAIL_POSITION_MARKS_MAX * MARK_BYTES_MAX;
}

static char *put_marks(char *at, const struct ps_tail_log *log)
{
    const struct ps_tail_marks *marks = &log->marks;
    /* the last ones: a copy that is made now ends near the position */
    uint32_t begin =
        marks->count > PS_TAIL_POSITION_MARKS_MAX ? marks->count - PS_TAIL_POSITION_MARKS_MAX : 0;
    for (uint32_t i = begin; i < marks->count; i++) {
        const struct ps_tail_mark *mark = &marks->items[i];
        if (i > begin)
            *at++ = ' ';
        at = ps_decimal_put_signed(at, mark->offset);
        *at++ = ' ';
        at = ps_decimal_put_signed(at, (int64_t)mark->hash);
        *at++ = ' ';
        at = ps_decimal_put_signed(at, mark->length);
    }
    return at;
}

/* Prints the members that the file of identities has, but for the position (stages/lib/tail/positions_json.c). */
static uint32_t print_detail(const struct ps_tail_log *log, char *to)
{
    char *at = ps_decimal_put_signed(stpcpy(to, "{\"inode\":"), (int64_t)log->identity.inode);
    at = stpcpy(at, ",\"file\":\"");
    at += ps_json_text(log->path, strlen(log->path), at);
    at = ps_decimal_put_signed(stpcpy(at, "\",\"device\":"), (int64_t)log->identity.device);
    at = ps_decimal_put_signed(stpcpy(at, ",\"head\":"), (int64_t)log->identity.head);
    at = ps_decimal_put_signed(stpcpy(at, ",\"length\":"), log->identity.head_length);
    if (log->identity.born_ns != 0)
        at = ps_decimal_put_signed(stpcpy(at, ",\"born\":"), (int64_t)log->identity.born_ns);
    at = put_marks(stpcpy(at, ",\"marks\":\""), log);
    at = stpcpy(at, "\"}");
    return (uint32_t)(at - to);
}

static void print_key(uint64_t inode, char key[PS_TAIL_GONE_KEY_BYTES])
{
    snprintf(key, PS_TAIL_GONE_KEY_BYTES, "%" PRIu64, inode);
}

bool ps_tail_sink_positions_span(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch)
{
    char key[PS_TAIL_GONE_KEY_BYTES];
    print_key(log->identity.inode, key);
    const struct ps_stream_name name = ps_tail_sink_source_name(tailer->sink.keeping, key);
    if (!ps_batch_span(batch, log->number, log->pass, log->read_offset, &name))
        return false;
    struct ps_stream_name *own = ps_batch_span_name(batch, log->number, log->pass);
    uint32_t room = detail_bound(log);
    if (own->detail.data != NULL)
        return true;
    char *detail = ps_batch_alloc(batch, room);
    if (detail == NULL)
        return false;
    own->detail = (struct ps_slice){detail, 0};
    log->detail = detail;
    log->detail_room = room;
    return true;
}

void ps_tail_sink_positions_detail(struct ps_tail_log *log, struct ps_batch *batch)
{
    struct ps_stream_name *name = ps_batch_span_name(batch, log->number, log->pass);
    uint32_t room = detail_bound(log);
    char *detail = name->detail.data == log->detail && room <= log->detail_room ? log->detail : NULL;
    if (detail == NULL)
        detail = ps_batch_alloc(batch, room);
    if (detail != NULL)
        name->detail = (struct ps_slice){detail, print_detail(log, detail)};
}

/* ---- announcing ---- */

void ps_tail_sink_positions_announce(struct ps_tail_sink_positions *sink, uint32_t number)
{
    if (sink->keeping != NULL)
        ps_tail_slots_put(&sink->announced, number);
}

void ps_tail_sink_positions_gone(struct ps_tail_sink_positions *sink, uint64_t inode)
{
    char key[PS_TAIL_GONE_KEY_BYTES];
    print_key(inode, key);
    if (sink->keeping != NULL)
        ps_tail_gone_add(&sink->gone, key);
}

/* Returns whether a followed file has the inode of this key: the position of that file is kept. */
static bool is_used(const void *table, const char *key)
{
    return ps_tail_log_by_inode(table, 0, strtoull(key, NULL, 10)) != NULL;
}

static bool tell_announced(struct ps_tailer *tailer, struct ps_batch *batch)
{
    while (tailer->sink.announced.count > 0) {
        uint32_t number = ps_tail_slots_take(&tailer->sink.announced);
        struct ps_tail_log *log = tailer->table.logs[number];
        if (log == NULL || !log->resolved || log->state == PS_TAIL_LOG_COPY)
            continue;
        if (!ps_tail_sink_positions_span(tailer, log, batch)) {
            ps_tail_slots_put(&tailer->sink.announced, number);
            return false;
        }
        ps_tail_sink_positions_detail(log, batch);
    }
    return true;
}

bool ps_tail_sink_positions_tell(struct ps_tailer *tailer, struct ps_batch *batch, bool *told)
{
    uint32_t before = batch->span_count;
    *told = false;
    if (tailer->sink.keeping == NULL)
        return true;
    if (!tailer->sink.asked) {
        tailer->sink.asked = !tailer->draining && ps_tail_sink_source_ask(tailer->sink.keeping, batch);
        *told = tailer->sink.asked;
        return false;
    }
    if (tailer->sink.announced.count == 0 && tailer->sink.gone.count == 0)
        return true;
    if (batch->count == 0 && before == 0)
        tailer->batch_key = PS_TAIL_NO_KEY; /* the batch has the headers of no file */
    bool all = ps_tail_gone_tell(&tailer->sink.gone, tailer->sink.keeping, batch, is_used, &tailer->table) &&
               tell_announced(tailer, batch);
    *told = batch->span_count > before;
    batch->flush |= *told; /* the batch may get no lines for a long time */
    return all;
}

bool ps_tail_sink_positions_answered(struct ps_tailer *tailer, const struct ps_span *span)
{
    if (span->stream < PS_TAIL_GONE_STREAMS)
        return false;
    if (span->stream != PS_TAIL_KEEPING_QUESTION || tailer->draining)
        return true;
    char *records = ps_tail_sink_source_answer(tailer->sink.keeping, tailer->port);
    if (records != NULL)
        ps_tail_load(tailer, records);
    return true;
}
