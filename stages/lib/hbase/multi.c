#include "stages/lib/hbase/multi.h"

#include "stages/lib/hadoop/framed.h"
#include "stages/lib/hbase/message.h"

#define REGION_NAME 1U /* RegionSpecifierType */
#define NONE UINT32_MAX

enum { MULTI_ACTION = 1, MULTI_NONCE_GROUP = 2, REGION_ACTION_REGION = 1, REGION_ACTION_ACTION = 3 };
enum { ACTION_INDEX = 1, ACTION_MUTATION = 2, SPECIFIER_TYPE = 1, SPECIFIER_VALUE = 2 };
enum { RESPONSE_RESULT = 1, RESULT_ENTRY = 1, RESULT_EXCEPTION = 2, ENTRY_INDEX = 1, ENTRY_EXCEPTION = 3 };
enum { PAIR_NAME = 1, PAIR_VALUE = 2 };

static size_t specifier_length(const struct ps_key_range *region)
{
    return ps_protobuf_number_length(SPECIFIER_TYPE, REGION_NAME) +
           ps_protobuf_bytes_length(SPECIFIER_VALUE, region->name_length);
}

static size_t action_length(const struct ps_hbase_batch *batch, uint32_t number)
{
    return ps_protobuf_number_length(ACTION_INDEX, number) +
           ps_protobuf_bytes_length(ACTION_MUTATION, batch->mutations[number].length);
}

void ps_hbase_multi_add(struct ps_hbase_batch *batch, struct ps_key_range *region, uint32_t number)
{
    struct ps_framed_server *server = region->server;
    if (region->rows == 0) {
        region->next_of_server = server->ranges;
        server->ranges = region;
        region->first = number;
        region->bytes = 0;
    } else {
        batch->mutations[region->last].next = number;
    }
    region->last = number;
    region->rows++;
    region->bytes += ps_protobuf_bytes_length(REGION_ACTION_ACTION, action_length(batch, number));
    batch->mutations[number].next = NONE;
}

/* Returns the bytes of the lists of a region: one of its mutations together, and one of each that is alone. */
static size_t region_length(const struct ps_hbase_batch *batch, const struct ps_key_range *region,
                            size_t *together)
{
    size_t specifier = ps_protobuf_bytes_length(REGION_ACTION_REGION, specifier_length(region)), total = 0;
    *together = region->bytes;
    for (uint32_t number = region->first; number != NONE; number = batch->mutations[number].next) {
        if (!batch->mutations[number].alone)
            continue;
        size_t one = ps_protobuf_bytes_length(REGION_ACTION_ACTION, action_length(batch, number));
        total += ps_protobuf_bytes_length(MULTI_ACTION, specifier + one);
        *together -= one;
    }
    if (*together > 0)
        total += ps_protobuf_bytes_length(MULTI_ACTION, specifier + *together);
    return total;
}

static uint8_t *put_region(uint8_t *to, const struct ps_key_range *region, size_t actions)
{
    size_t specifier = specifier_length(region);
    to = ps_protobuf_put_head(to, MULTI_ACTION,
                              ps_protobuf_bytes_length(REGION_ACTION_REGION, specifier) + actions);
    to = ps_protobuf_put_head(to, REGION_ACTION_REGION, specifier);
    to = ps_protobuf_put_number(to, SPECIFIER_TYPE, REGION_NAME);
    return ps_protobuf_put_bytes(to, SPECIFIER_VALUE, region->name, region->name_length);
}

static uint8_t *put_action(uint8_t *to, struct ps_hbase_batch *batch, uint32_t number, uint32_t action,
                           uint32_t call)
{
    struct ps_hbase_mutation *mutation = &batch->mutations[number];
    mutation->action = action;
    mutation->call = call;
    to = ps_protobuf_put_head(to, REGION_ACTION_ACTION, action_length(batch, number));
    to = ps_protobuf_put_number(to, ACTION_INDEX, number);
    return ps_protobuf_put_bytes(to, ACTION_MUTATION, batch->bytes.data + mutation->at, mutation->length);
}

static uint8_t *put_lists(uint8_t *to, struct ps_hbase_batch *batch, const struct ps_key_range *region,
                          uint32_t *action, uint32_t call)
{
    size_t together;
    uint32_t number;
    (void)region_length(batch, region, &together);
    if (together > 0) {
        to = put_region(to, region, together);
        for (number = region->first; number != NONE; number = batch->mutations[number].next)
            if (!batch->mutations[number].alone)
                to = put_action(to, batch, number, *action, call);
        ++*action;
    }
    for (number = region->first; number != NONE; number = batch->mutations[number].next) {
        if (!batch->mutations[number].alone)
            continue;
        to = put_region(to, region,
                        ps_protobuf_bytes_length(REGION_ACTION_ACTION, action_length(batch, number)));
        to = put_action(to, batch, number, (*action)++, call);
    }
    return to;
}

size_t ps_hbase_multi_put(struct ps_hbase_batch *batch, struct ps_framed_server *server, uint32_t call,
                          uint64_t nonce_group)
{
    size_t length = ps_protobuf_number_length(MULTI_NONCE_GROUP, nonce_group), before = server->out.length,
           together;
    uint32_t action = 0;
    for (const struct ps_key_range *region = server->ranges; region != NULL; region = region->next_of_server)
        length += region_length(batch, region, &together);
    uint8_t *to = ps_hbase_put_request(&server->out, call, "Multi", length);
    if (to == NULL)
        return 0;
    for (const struct ps_key_range *region = server->ranges; region != NULL; region = region->next_of_server)
        to = put_lists(to, batch, region, &action, call);
    (void)ps_protobuf_put_number(to, MULTI_NONCE_GROUP, nonce_group);
    return server->out.length - before;
}

/* ---- the answer ---- */

/* Reads a NameBytesPair: class and text. */
static bool parse_pair(struct ps_protobuf_reader reader, struct ps_hbase_result *result)
{
    result->class = result->text = "";
    result->class_length = result->text_length = 0; /* the last one of several counts */
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, PAIR_NAME)) {
            result->class = (const char *)reader.bytes;
            result->class_length = reader.length;
        } else if (ps_protobuf_is_bytes(&reader, PAIR_VALUE)) {
            result->text = (const char *)reader.bytes;
            result->text_length = reader.length;
        }
    }
    return !reader.invalid;
}

static bool parse_entry(struct ps_protobuf_reader reader, struct ps_hbase_result *result)
{
    bool good = true;
    result->number = 0; /* an index of 0 may be left out */
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, ENTRY_INDEX) && reader.number < NONE)
            result->number = (uint32_t)reader.number;
        else if (ps_protobuf_is_bytes(&reader, ENTRY_EXCEPTION))
            good = parse_pair(ps_protobuf_inner(&reader), result);
    }
    return good && !reader.invalid;
}

static bool parse_region(struct ps_protobuf_reader reader, uint32_t action,
                         void (*each)(void *owner, const struct ps_hbase_result *result), void *owner)
{
    while (ps_protobuf_next(&reader)) {
        struct ps_hbase_result result = {.number = NONE, .action = action};
        bool is_entry = ps_protobuf_is_bytes(&reader, RESULT_ENTRY);
        if (!is_entry && !ps_protobuf_is_bytes(&reader, RESULT_EXCEPTION))
            continue;
        if (is_entry ? !parse_entry(ps_protobuf_inner(&reader), &result)
                     : !parse_pair(ps_protobuf_inner(&reader), &result))
            return false;
        each(owner, &result);
    }
    return !reader.invalid;
}

bool ps_hbase_multi_parse(const uint8_t *bytes, size_t length,
                          void (*each)(void *owner, const struct ps_hbase_result *result), void *owner)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length);
    uint32_t action = 0;
    while (ps_protobuf_next(&reader))
        if (ps_protobuf_is_bytes(&reader, RESPONSE_RESULT) &&
            !parse_region(ps_protobuf_inner(&reader), action++, each, owner))
            return false;
    return !reader.invalid;
}
