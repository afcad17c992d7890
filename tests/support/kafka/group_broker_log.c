/* The logs of the broker with a group: their records, and the answers to Fetch. */
#include "core/crc32c.h"
#include "stages/lib/kafka/wire/compression.h"
#include "stages/lib/kafka/wire/batch_writer.h"
#include "tests/support/kafka/group_broker_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define CRC_AT 17U
#define ATTRIBUTES_AT 21U
#define LAST_DELTA_AT 23U
#define LENGTH_AT 8U /* counts the bytes after itself */
#define EPOCH_AT 12U
#define RECORDS_AT 61U
#define CONTROL 0x20
#define TRANSACTIONAL 0x10
#define TIME_MS INT64_C(1700000000000)
#define VERSION_OF_IDS 13 /* of Fetch */

/* ---- writing ---- */

static void add(struct ps_kafka_native_batch *batch, const struct ps_kafka_record *record)
{
    bool no_memory = false;
    assert_true(ps_kafka_native_batch_add(batch, record, TIME_MS, UINT32_MAX, &no_memory));
}

/* Copies the batch, with its records compressed. Returns the length. */
static uint32_t compress(const struct ps_kafka_native_batch *batch, char **bytes)
{
    struct ps_kafka_compressor *compressor =
        ps_kafka_compressor_open(PS_KAFKA_COMPRESSION_LZ4, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT);
    size_t plain = batch->length - RECORDS_AT;
    *bytes = malloc(RECORDS_AT + ps_kafka_compressed_bytes_max(compressor, plain) + 1);
    assert_non_null(*bytes);
    memcpy(*bytes, batch->bytes, RECORDS_AT);
    size_t packed = ps_kafka_compress(compressor, batch->bytes + RECORDS_AT, plain, *bytes + RECORDS_AT);
    assert_true(packed > 0);
    ps_kafka_compressor_close(compressor);
    uint32_t length = RECORDS_AT + (uint32_t)packed;
    (void)ps_wire_put_int32(*bytes + LENGTH_AT, (int32_t)(length - LENGTH_AT - 4));
    return length;
}

/* Writes the batch to the log. `rest`: offsets after its last record, which compaction has removed. */
static void write_batch(struct ps_test_group_log *log, struct ps_kafka_native_batch *batch, int64_t producer,
                        int16_t attributes, unsigned rest)
{
    const struct ps_kafka_native_producer_id id = {
        .id = producer, .epoch = producer < 0 ? -1 : 0, .transactional = producer >= 0};
    uint32_t count = batch->count;
    ps_kafka_native_batch_close(batch, &id, producer < 0 ? -1 : 0);
    char *bytes;
    uint32_t length = batch->length;
    assert_in_range(log->batch_count, 0, PS_TEST_GROUP_BATCHES - 1);
    if (log->compressed && (attributes & CONTROL) == 0) {
        length = compress(batch, &bytes);
        attributes |= PS_KAFKA_COMPRESSION_LZ4;
    } else {
        bytes = malloc(length);
        assert_non_null(bytes);
        memcpy(bytes, batch->bytes, length);
    }
    (void)ps_wire_put_int64(bytes, log->end);
    (void)ps_wire_put_int32(bytes + EPOCH_AT, log->epoch);
    (void)ps_wire_put_int16(bytes + ATTRIBUTES_AT, attributes);
    (void)ps_wire_put_int32(bytes + LAST_DELTA_AT, (int32_t)(count + rest - 1));
    (void)ps_wire_put_int32(bytes + CRC_AT,
                            (int32_t)ps_crc32c(0, bytes + ATTRIBUTES_AT, length - ATTRIBUTES_AT));
    log->batches[log->batch_count].base = log->end;
    log->batches[log->batch_count].last = log->end + count + rest - 1;
    log->batches[log->batch_count].bytes = bytes;
    log->batches[log->batch_count++].length = length;
    log->end += count + rest;
    ps_kafka_native_batch_free(batch);
}

static void append_records(struct ps_test_group_broker *group, unsigned partition, unsigned count,
                           int64_t producer, bool visible)
{
    struct ps_test_group_log *log = &group->logs[partition];
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    assert_in_range(log->end + 16, 0, PS_TEST_GROUP_RECORDS);
    for (unsigned i = 0; i < count; i++) {
        const struct ps_test_group_value value = {partition + (group->topic_id - 1) * PS_TEST_GROUP_LIFE,
                                                  log->end + i};
        add(batch, &(struct ps_kafka_record){
                       .value = (const char *)&value, .value_length = sizeof value, .timestamp_ms = TIME_MS});
        log->visible[log->end + i] = visible;
    }
    group->counts.records += visible ? count : 0;
    group->counts.hidden += visible ? 0 : count;
    write_batch(log, batch, producer, producer < 0 ? 0 : TRANSACTIONAL, ps_test_group_draw(group, 4) == 0);
}

/* Appends the control batch that ends a transaction. */
static void append_control(struct ps_test_group_log *log, int64_t producer, bool commits)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_batch_make();
    char key[4], value[6];
    (void)ps_wire_put_int16(ps_wire_put_int16(key, 0), commits);
    (void)ps_wire_put_int32(ps_wire_put_int16(value, 0), 0);
    add(batch, &(struct ps_kafka_record){.value = value,
                                         .value_length = sizeof value,
                                         .key = key,
                                         .key_length = sizeof key,
                                         .timestamp_ms = TIME_MS});
    write_batch(log, batch, producer, TRANSACTIONAL | CONTROL, 0);
}

static void abort_transaction(struct ps_test_group_log *log, int64_t producer, int64_t first)
{
    assert_in_range(log->aborted_count, 0, PS_TEST_GROUP_BATCHES - 1);
    log->aborted[log->aborted_count].producer = producer;
    log->aborted[log->aborted_count].first = first;
    log->aborted[log->aborted_count++].last = log->end;
    append_control(log, producer, false);
}

void ps_test_group_append_plain(struct ps_test_group_broker *group, unsigned partition, unsigned count)
{
    append_records(group, partition, count, -1, true);
}

void ps_test_group_append_nested(struct ps_test_group_broker *group, unsigned partition)
{
    struct ps_test_group_log *log = &group->logs[partition];
    int64_t outer = log->end;
    append_records(group, partition, 2, 7, false);
    append_records(group, partition, 1, -1, true);
    int64_t inner = log->end;
    append_records(group, partition, 2, 8, false);
    abort_transaction(log, 8, inner);
    append_records(group, partition, 1, 7, false);
    append_records(group, partition, 1, 8, true);
    append_control(log, 8, true);
    abort_transaction(log, 7, outer);
}

void ps_test_group_append_aborted(struct ps_test_group_broker *group, unsigned partition)
{
    struct ps_test_group_log *log = &group->logs[partition];
    int64_t first = log->end;
    append_records(group, partition, 2, 9, false);
    abort_transaction(log, 9, first);
}

void ps_test_group_append(struct ps_test_group_broker *group, unsigned partition)
{
    struct ps_test_group_log *log = &group->logs[partition];
    unsigned kind = ps_test_group_draw(group, 8);
    if (kind == 0) {
        ps_test_group_append_nested(group, partition);
    } else if (kind <= 2) {
        int64_t first = log->end;
        append_records(group, partition, 1 + ps_test_group_draw(group, 3), 9, kind == 1);
        if (kind == 1)
            append_control(log, 9, true);
        else
            abort_transaction(log, 9, first);
    } else {
        log->end += ps_test_group_draw(group, 3); /* a gap */
        ps_test_group_append_plain(group, partition, 1 + ps_test_group_draw(group, 6));
    }
}

/* ---- what becomes of it ---- */

int32_t ps_test_group_batch_epoch(const struct ps_test_group_log *log, unsigned batch)
{
    struct ps_wire_in in = {.at = log->batches[batch].bytes + EPOCH_AT,
                            .end = log->batches[batch].bytes + RECORDS_AT};
    return ps_wire_get_int32(&in);
}

int32_t ps_test_group_epoch(const struct ps_test_group_log *log, int64_t offset)
{
    for (unsigned i = 0; i < log->batch_count; i++) {
        if (offset >= log->batches[i].base && offset <= log->batches[i].last)
            return ps_test_group_batch_epoch(log, i);
    }
    return -1;
}

int64_t ps_test_group_visible(const struct ps_test_group_log *log, int64_t from)
{
    for (int64_t offset = from > log->start ? from : log->start; offset < log->end; offset++) {
        if (log->visible[offset])
            return offset;
    }
    return log->end;
}

bool ps_test_group_skips(const struct ps_test_group_log *log, int64_t from, int64_t to)
{
    while (from < to && !log->visible[from])
        from++;
    return from < to;
}

void ps_test_group_trim(struct ps_test_group_broker *group, unsigned partition)
{
    struct ps_test_group_log *log = &group->logs[partition];
    unsigned count = log->batch_count / 3;
    for (unsigned i = 0; i < count; i++)
        free(log->batches[i].bytes);
    memmove(log->batches, log->batches + count, (log->batch_count - count) * sizeof *log->batches);
    log->batch_count -= count;
    log->start = log->batch_count > 0 ? log->batches[0].base : log->end;
}

void ps_test_group_truncate(struct ps_test_group_broker *group, unsigned partition)
{
    struct ps_test_group_log *log = &group->logs[partition];
    for (unsigned count = log->batch_count / 3; count > 0; count--)
        free(log->batches[--log->batch_count].bytes);
    int64_t end = log->batch_count > 0 ? log->batches[log->batch_count - 1].last + 1 : log->start;
    while (log->end > end)
        log->visible[--log->end] = false;
    unsigned kept = 0;
    for (unsigned i = 0; i < log->aborted_count; i++) {
        if (log->aborted[i].last < end)
            log->aborted[kept++] = log->aborted[i];
    }
    log->aborted_count = kept;
    group->counts.truncated++;
    log->cut = log->was_cut = true;
    ps_test_group_move_leader(group, partition);
}

void ps_test_group_make_anew(struct ps_test_group_broker *group)
{
    group->topic_id++;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        struct ps_test_group_log *log = &group->logs[i];
        while (log->batch_count > 0)
            free(log->batches[--log->batch_count].bytes);
        memset(log->visible, 0, sizeof log->visible);
        log->start = log->end = log->delivered = 0;
        log->aborted_count = 0;
        log->was_cut = true;
        log->epoch = 0;
        log->committed = log->committed_epoch = -1;
    }
    group->counts.truncated++;
}

void ps_test_group_others_read(struct ps_test_group_broker *group)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS && group->synced; i++) {
        struct ps_test_group_log *log = &group->logs[i];
        if ((group->owned >> i & 1) != 0 || ps_test_group_draw(group, 4) != 0)
            continue;
        int64_t next = ps_test_group_visible(log, log->committed);
        if (next == log->end)
            continue;
        log->committed = next + 1;
        log->committed_epoch = ps_test_group_draw(group, 2) == 0 ? -1 : ps_test_group_epoch(log, next);
        log->delivered = log->delivered > next ? log->delivered : next + 1;
        group->counts.by_others++;
    }
}

void ps_test_group_move_leader(struct ps_test_group_broker *group, unsigned partition)
{
    group->logs[partition].leader = (group->logs[partition].leader + 1) % PS_TEST_GROUP_NODES;
    group->logs[partition].epoch++;
}

/* ---- Fetch ---- */

static int16_t part_error(const struct ps_test_group_broker *group, const struct ps_test_group_wanted *part)
{
    const struct ps_test_group_log *log = &group->logs[part->partition];
    bool resolved = group->sessions[group->node].incremental; /* a session keeps the name that the id had */
    if ((group->sick >> part->partition & 1) != 0)
        return group->sick_error;
    if (part->topic != 0 && (part->topic != group->topic_id || group->no_ids))
        return resolved ? ERROR_INCONSISTENT_TOPIC_ID : ERROR_UNKNOWN_TOPIC_ID;
    if (part->partition >= (int32_t)group->partitions)
        return ERROR_UNKNOWN_TOPIC;
    if (log->leader != group->node && (!group->has_racks || group->replica_error != 0))
        return group->has_racks ? group->replica_error : ERROR_NOT_LEADER;
    if (part->epoch >= 0 && part->epoch != log->epoch)
        return part->epoch < log->epoch ? ERROR_FENCED_EPOCH : ERROR_UNKNOWN_EPOCH;
    return part->offset < log->start || part->offset > log->end ? ERROR_OUT_OF_RANGE : 0;
}

static unsigned first_set(const struct ps_test_group_log *log, int64_t offset)
{
    unsigned i = 0;
    while (i < log->batch_count && log->batches[i].last < offset)
        i++;
    return i;
}

/* Returns whether the answer names the other node instead of records. */
static bool names_replica(const struct ps_test_group_broker *group, const struct ps_test_group_wanted *part)
{
    return group->has_racks && group->replica_error == 0 &&
           group->logs[part->partition].leader == group->node && part_error(group, part) == 0;
}

/* Returns whether records of the partition, or an error, must be sent. */
static bool has_news(const struct ps_test_group_broker *group, const struct ps_test_group_wanted *part)
{
    const struct ps_test_group_log *log = &group->logs[part->partition];
    return part_error(group, part) != 0 || names_replica(group, part) ||
           first_set(log, part->offset) < log->batch_count;
}

static bool has_answer(const struct ps_test_group_broker *group,
                       const struct ps_test_group_fetching *fetching)
{
    for (unsigned i = 0; i < fetching->count; i++) {
        if (has_news(group, &fetching->parts[i]))
            return true;
    }
    return false;
}

static char *put_count(char *at, uint32_t count, int16_t version)
{
    return version >= VERSION_OF_IDS ? ps_wire_put_uvarint(at, count + 1)
                                     : ps_wire_put_int32(at, (int32_t)count);
}

static char *put_tags(char *at, int16_t version)
{
    return version >= VERSION_OF_IDS ? ps_wire_put_uvarint(at, 0) : at;
}

/* Tags that nobody knows. */
static char *put_strange_tags(char *at, int16_t version)
{
    static const char tags[] = {2, 0, 3, 'a', 'b', 'c', 9, 0};
    return version >= VERSION_OF_IDS ? ps_wire_put_bytes(at, tags, sizeof tags) : at;
}

static char *put_aborted(const struct ps_test_group_log *log, int16_t version, char *at, int64_t from)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < log->aborted_count; i++)
        count += log->aborted[i].last >= from;
    at = put_count(at, count, version);
    for (unsigned i = 0; i < log->aborted_count; i++) {
        if (log->aborted[i].last < from)
            continue;
        at = ps_wire_put_int64(at, log->aborted[i].producer);
        at = put_strange_tags(ps_wire_put_int64(at, log->aborted[i].first), version);
    }
    return at;
}

#define LENGTH_BYTES 4U

/* Writes the number in four bytes, however small it is. */
static void put_long_uvarint(char *at, uint32_t value)
{
    assert_in_range(value, 0, (1U << 28) - 1);
    for (unsigned i = 0; i < LENGTH_BYTES - 1; i++, value >>= 7)
        at[i] = (char)((value & 0x7f) | 0x80);
    at[LENGTH_BYTES - 1] = (char)value;
}

/* Writes the batches from the one with the offset; the last one may be cut, and one may be damaged. */
static char *put_sets(struct ps_test_group_broker *group, const struct ps_test_group_wanted *part,
                      int16_t version, char *at)
{
    const struct ps_test_group_log *log = &group->logs[part->partition];
    char *length_at = at;
    unsigned from = first_set(log, part->offset), most = 1 + ps_test_group_draw(group, 4), i = from;
    at += LENGTH_BYTES;
    for (; i < log->batch_count && i < from + most; i++)
        at = ps_wire_put_bytes(at, log->batches[i].bytes, log->batches[i].length);
    unsigned share = group->damage_share > 0 ? group->damage_share : group->faults;
    if (i > from && group->damages && ps_test_group_draw(group, 1000) < share) {
        char *byte = at - 1 - ps_test_group_draw(group, 8); /* of the last batch */
        *byte = (char)(*byte ^ 0x55);
        group->counts.damaged++;
    } else if (i > from + 1 && ps_test_group_draw(group, 4) == 0) {
        at -= 1 + ps_test_group_draw(group, log->batches[i - 1].length - 1);
    }
    uint32_t length = (uint32_t)(at - length_at) - LENGTH_BYTES;
    if (version < VERSION_OF_IDS)
        (void)ps_wire_put_int32(length_at, (int32_t)length);
    else
        put_long_uvarint(length_at, length + 1);
    return at;
}

/* If the sink commits, a member that went back must commit the lower offset first: else its commit could follow that of a
 * transaction. The connection may bring requests of a former assignment. */
static void check_fetched(const struct ps_test_group_broker *group, const struct ps_test_group_wanted *part)
{
    const struct ps_test_group_log *log = &group->logs[part->partition];
    bool owned = group->synced && (group->owned >> part->partition & 1) != 0;
    if (group->commits_first && owned && part->offset < log->committed)
        fail_msg("partition %d: offset %lld is fetched, and %lld is committed", part->partition,
                 (long long)part->offset, (long long)log->committed);
}

static char *put_part(struct ps_test_group_broker *group, int16_t version,
                      const struct ps_test_group_fetching *fetching, const struct ps_test_group_wanted *part,
                      char *at)
{
    const struct ps_test_group_log *log = &group->logs[part->partition];
    int16_t error = ps_test_group_error(group, PS_TEST_KEY_FETCH, false);
    if (error == 0)
        error = part_error(group, part);
    bool stale = error == ERROR_UNKNOWN_TOPIC_ID || error == ERROR_INCONSISTENT_TOPIC_ID;
    if (!stale)
        check_fetched(group, part);
    group->counts.stale_ids += stale;
    group->counts.out_of_range += error == ERROR_OUT_OF_RANGE;
    if (version >= VERSION_OF_IDS)
        at = ps_wire_put_int64(ps_wire_put_int64(at, 7), part->topic);
    else
        at = ps_wire_put_string(at, "t", 1);
    at = put_count(at, 1, version);
    at = ps_wire_put_int32(at, part->partition);
    at = ps_wire_put_int16(at, error);
    bool elsewhere = error == 0 && fetching->has_rack && names_replica(group, part);
    group->counts.by_leaders += error == 0 && !elsewhere && log->leader == group->node;
    group->counts.by_replicas += error == 0 && log->leader != group->node;
    at = ps_wire_put_int64(at, error == 0 ? log->end : -1);
    if (version >= 4)
        at = ps_wire_put_int64(at, error == 0 ? log->end : -1);
    if (version >= 5)
        at = ps_wire_put_int64(at, log->start);
    if (error == 0 && fetching->committed_only)
        at = put_aborted(log, version, at, part->offset);
    else if (version >= 4)
        at = put_count(at, UINT32_MAX, version); /* null */
    if (version >= 11)
        at = ps_wire_put_int32(at, elsewhere ? (int32_t)(1 - group->node) : -1);
    at = error == 0 && !elsewhere ? put_sets(group, part, version, at) : put_count(at, 0, version);
    return put_tags(put_strange_tags(at, version), version); /* of the partition, and of the topic */
}

/* Writes the partitions of the answer; those of a session only if there is something to tell. */
static char *put_parts(struct ps_test_group_broker *group, int16_t version,
                       const struct ps_test_group_fetching *fetching, struct ps_test_group_session *session,
                       char *at)
{
    char *count_at = at;
    unsigned count = 0;
    at += version >= VERSION_OF_IDS ? 1 : sizeof(int32_t);
    bool leaves_last = group->leaves_last && session != NULL && !session->incremental;
    for (unsigned i = 0; i < fetching->count - (fetching->count > 1 && leaves_last); i++) {
        const struct ps_test_group_wanted *part = &fetching->parts[i];
        bool news = has_news(group, part);
        if (session != NULL &&
            !ps_test_group_session_tells(session, &group->logs[part->partition], part, news))
            continue;
        at = put_part(group, version, fetching, part, at);
        count++;
        if (session != NULL && news)
            ps_test_group_session_turn(session, part);
    }
    if (group->strange && session != NULL && session->incremental) {
        group->strange = false;
        const struct ps_test_group_wanted other = {.partition = PS_TEST_GROUP_PARTITIONS - 1,
                                                   .topic = fetching->by_ids ? group->topic_id : 0};
        at = put_part(group, version, fetching, &other, at);
        count++;
    }
    (void)put_count(count_at, count, version);
    return put_strange_tags(at, version);
}

/* A member that fetches from the earlier offset has not learnt of the new one. */
static void note_fetched(struct ps_test_group_broker *group, const struct ps_test_group_wanted *part)
{
    struct ps_test_group_log *log = &group->logs[part->partition];
    if (log->earlier < 0 || part->offset != log->earlier || part_error(group, part) != 0)
        return;
    log->earlier = log->licence;
    log->licence = part->offset;
}

char *ps_test_group_fetch(struct ps_test_group_broker *group, struct ps_test_connection *connection,
                          struct ps_test_request *request, char *at)
{
    struct ps_test_group_fetching fetching;
    struct ps_test_group_session *session = NULL;
    ps_test_group_read_fetch(request, &fetching);
    if (request->version >= 7)
        session = ps_test_group_session_apply(group, &fetching);
    bool refused = session != NULL && session->error != 0;
    for (unsigned i = 0; i < fetching.count; i++)
        note_fetched(group, &fetching.parts[i]);
    if (group->holds || (!has_answer(group, &fetching) && !refused &&
                         group->now_ns < connection->since_ns + (uint64_t)fetching.wait_ms * PS_NS_PER_MS))
        return NULL;
    group->fetches[group->node]++;
    group->counts.by_ids += fetching.by_ids;
    if (fetching.count == PS_TEST_GROUP_PARTITIONS)
        group->first[fetching.parts[0].partition]++;
    at = put_strange_tags(at, request->version); /* of the header */
    at = ps_wire_put_int32(at, 0);
    if (session == NULL)
        return put_parts(group, request->version, &fetching, NULL, at);
    int16_t error = refused ? session->error : ps_test_group_error(group, PS_TEST_KEY_FETCH, true);
    at = ps_wire_put_int16(at, error);
    at = ps_wire_put_int32(at, error == 0 ? session->told : 0);
    return error == 0 ? put_parts(group, request->version, &fetching, session, at)
                      : put_tags(put_count(at, 0, request->version), request->version);
}
