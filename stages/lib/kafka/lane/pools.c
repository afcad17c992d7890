/* The pools of sets and requests, and the calls of the sink's listener. */
#include "stages/lib/kafka/lane/lane_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_ALL_DOWN (-187)

struct ps_kafka_lane_set *ps_kafka_lane_take_set(struct ps_kafka_lane *lane,
                                                 struct ps_kafka_lane_partition *partition)
{
    struct ps_kafka_lane_set *set = lane->free_sets;
    if (set != NULL) {
        lane->free_sets = set->next;
        lane->free_bytes -= set->room;
    } else if ((set = ps_kafka_lane_set_make()) == NULL) {
        return NULL;
    }
    ps_kafka_lane_set_reset(set, partition);
    set->born_ns = lane->now.mono_ns;
    return set;
}

/* A buffer keeps the size of the largest set that it had: with many partitions all of them would become that large. */
void ps_kafka_lane_give_set(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set)
{
    if (lane->free_bytes + set->room > 2 * lane->settings.queue_bytes_max) {
        ps_kafka_lane_set_free(set);
        return;
    }
    lane->free_bytes += set->room;
    set->next = lane->free_sets;
    lane->free_sets = set;
}

struct ps_kafka_lane_request *ps_kafka_lane_take_request(struct ps_kafka_lane *lane,
                                                         enum ps_kafka_lane_kind kind, int16_t version)
{
    struct ps_kafka_lane_request *request = lane->free_requests;
    if (request != NULL)
        lane->free_requests = request->next;
    else if ((request = calloc(1, sizeof *request)) == NULL)
        return NULL;
    request->next = NULL;
    request->kind = kind;
    request->version = version;
    request->set_count = 0;
    request->timeout_ns = 0;
    request->answer = NULL;
    return request;
}

void ps_kafka_lane_give_request(struct ps_kafka_lane *lane, struct ps_kafka_lane_request *request)
{
    request->next = lane->free_requests;
    lane->free_requests = request;
}

void ps_kafka_lane_report(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set, int error)
{
    const struct ps_kafka_report report = {
        .error = error,
        .perhaps_written = error != 0 && set->perhaps_written,
        .count = set->count,
        .group_count = set->count,
        .group_bytes = set->payload_bytes,
        .partition = set->partition->number,
        .topic = set->partition->topic->name,
        .tokens = set->tokens,
    };
    lane->queued_bytes -= set->plain_length != 0 ? set->plain_length : set->length;
    lane->queued_records -= set->count;
    lane->reported += set->count;
    lane->listener->report(lane->listener->argument, &report);
    ps_kafka_lane_give_set(lane, set);
}

void ps_kafka_lane_notice(struct ps_kafka_lane *lane, enum ps_kafka_notice_kind kind, int code,
                          const char *text)
{
    const struct ps_kafka_notice notice = {.kind = kind, .code = code, .text = text};
    lane->listener->notice(lane->listener->argument, &notice);
}

void ps_kafka_lane_tell_all_down(struct ps_kafka_lane *lane, const char *reason)
{
    unsigned count = 0;
    char text[PS_TRANSPORT_REASON_BYTES + 64];
    for (const struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL; broker = broker->next) {
        if (broker->gone)
            continue;
        count++;
        if (lane->all_down_told || broker->phase != PS_KAFKA_LANE_DOWN || broker->failures == 0)
            return;
    }
    lane->all_down_told = true;
    snprintf(text, sizeof text, "%u/%u brokers are down: %s", count, count, reason);
    ps_kafka_lane_notice(lane, PS_KAFKA_NOTICE_ERROR, ERROR_ALL_DOWN, text);
}

void ps_kafka_lane_die(struct ps_kafka_lane *lane, int code, const char *format, ...)
{
    if (lane->fatal)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(lane->fatal_text, sizeof lane->fatal_text, format, arguments);
    va_end(arguments);
    lane->fatal = true;
    lane->fatal_code = code;
}

void ps_kafka_lane_want_metadata(struct ps_kafka_lane *lane)
{
    lane->metadata_wanted = true;
}
