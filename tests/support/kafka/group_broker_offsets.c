/* The offsets that the broker with a group reports for its logs: the answers to ListOffsets and OffsetForLeaderEpoch. */
#include "tests/support/kafka/group_broker_internal.h"

#include "tests/support/support.h"

/* ---- ListOffsets ---- */

/* Notes that the member is told to begin at the offset. If it does not learn of that, it stays where it was told to
 * begin before. */
static void tell(const struct ps_test_group_broker *group, struct ps_test_group_log *log, int64_t offset)
{
    int64_t earlier = log->licence == offset ? log->earlier : log->licence;
    ps_test_group_log_begin(log, offset);
    log->earlier = group->faults > 0 || group->changes ? earlier : -1;
}

char *ps_test_group_list_offsets(struct ps_test_group_broker *group, struct ps_test_request *request,
                                 char *at)
{
    struct ps_wire_in *in = &request->body;
    uint32_t length;
    assert_int_equal(ps_wire_get_int32(in), -1);
    if (request->version >= 2) {
        (void)ps_wire_get_int8(in);
        at = ps_wire_put_int32(at, 0);
    }
    uint32_t topics = ps_wire_get_count(in, 6);
    group->lists_less = topics > 1 && !group->lists_less;
    topics -= group->lists_less;
    at = ps_wire_put_int32(at, (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++) {
        (void)ps_wire_get_string(in, &length);
        assert_int_equal(ps_wire_get_int32(in), 1);
        int32_t partition = ps_wire_get_int32(in);
        int64_t time = ps_wire_get_int64(in);
        if (request->version == 0)
            assert_int_equal(ps_wire_get_int32(in), 1); /* most offsets */
        assert_in_range(partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
        assert_true(time == -1 || time == -2);
        struct ps_test_group_log *log = &group->logs[partition];
        int16_t error = ps_test_group_error(group, PS_TEST_KEY_LIST_OFFSETS, false);
        if (error == 0 && partition >= (int32_t)group->partitions)
            error = ERROR_UNKNOWN_TOPIC;
        if (error == 0 && log->leader != group->node)
            error = ERROR_NOT_LEADER;
        int64_t offset = error != 0 ? -1 : time == -1 ? log->end : log->start;
        if (error == 0) {
            tell(group, log, offset);
            log->cut = false;
        }
        at = ps_wire_put_string(at, "t", 1);
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int32(at, partition);
        at = ps_wire_put_int16(at, error);
        if (request->version >= 1)
            at = ps_wire_put_int64(at, -1);
        else
            at = ps_wire_put_int32(at, offset >= 0);
        if (request->version >= 1 || offset >= 0)
            at = ps_wire_put_int64(at, offset);
    }
    return at;
}

/* ---- OffsetForLeaderEpoch ---- */

/* Returns where the largest epoch that is not above this one ends; *known: that epoch. An epoch before all those of the log ends
 * where the log begins; an epoch after them is not known: -1 (LeaderEpochFileCache). */
static int64_t end_of_epoch(const struct ps_test_group_log *log, int32_t epoch, int32_t *known)
{
    *known = epoch;
    if (epoch >= log->epoch) {
        *known = epoch == log->epoch ? epoch : -1;
        return epoch == log->epoch ? log->end : -1;
    }
    for (unsigned i = 0; i < log->batch_count; i++) {
        if (ps_test_group_batch_epoch(log, i) > epoch)
            return log->batches[i].base;
        *known = ps_test_group_batch_epoch(log, i);
    }
    return log->end;
}

/* Sends the member back to `end` if it has read past that offset; it goes back when earlier records are delivered.
 * Otherwise it stays where an earlier answer may have sent it. */
static void send_back(struct ps_test_group_log *log, int64_t end)
{
    if (log->differed < 0 || (log->differs >= 0 && log->differs < log->differed))
        log->differed = log->differs;
    log->differed = log->differed < end ? log->differed : -1;
    log->differs = end;
}

char *ps_test_group_epochs(struct ps_test_group_broker *group, struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    uint32_t length;
    assert_int_equal(request->version, 3);
    assert_int_equal(ps_wire_get_int32(in), -1);
    at = ps_wire_put_int32(at, 0);
    uint32_t topics = ps_wire_get_count(in, 6);
    at = ps_wire_put_int32(at, (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++) {
        (void)ps_wire_get_string(in, &length);
        assert_int_equal(ps_wire_get_int32(in), 1);
        int32_t partition = ps_wire_get_int32(in), current = ps_wire_get_int32(in), known = -1;
        int32_t epoch = ps_wire_get_int32(in);
        assert_in_range(partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
        struct ps_test_group_log *log = &group->logs[partition];
        assert_true(epoch >= 0 && current >= 0);
        int16_t error = ps_test_group_error(group, PS_TEST_KEY_EPOCHS, false);
        if (error == 0 && log->leader != group->node)
            error = ERROR_NOT_LEADER;
        if (error == 0 && current != log->epoch)
            error = current < log->epoch ? ERROR_FENCED_EPOCH : ERROR_UNKNOWN_EPOCH;
        int64_t end = error == 0 && !group->forgets ? end_of_epoch(log, epoch, &known) : -1;
        /* A request of a former assignment may have changed where the member begins. */
        bool of_committed = log->committed > end && epoch == log->committed_epoch;
        if (end >= 0 && (log->cut || of_committed || log->differs >= 0)) {
            log->licence = of_committed ? log->committed : log->licence;
            send_back(log, end);
            log->cut = false;
        }
        at = ps_wire_put_string(at, "t", 1);
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int16(at, error);
        at = ps_wire_put_int32(at, partition);
        at = ps_wire_put_int32(at, known);
        at = ps_wire_put_int64(at, end);
    }
    return at;
}
