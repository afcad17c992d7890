/* What a region server or ZooKeeper sends to a sink of HBase: any bytes. Nothing may be read outside them.
 * Input: the parser (1 byte), then its bytes. */
#include "stages/lib/hbase/message.h"
#include "stages/lib/hbase/meta.h"
#include "stages/lib/hbase/multi.h"
#include "stages/lib/hbase/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum; /* of all that the answers point to, so that it is read */

static void look(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += ((const uint8_t *)bytes)[i];
}

static void look_at_result(void *owner, const struct ps_hbase_result *result)
{
    char reason[PS_HBASE_REASON_BYTES];
    ++*(size_t *)owner;
    sum += result->number + result->action;
    if (result->class == NULL)
        return;
    ps_hbase_exception_print(reason, result->class, result->class_length, result->text, result->text_length);
    sum += (uint64_t)ps_hbase_exception_meaning(result->class, result->class_length, result->text,
                                                result->text_length);
    look(reason, strlen(reason));
}

static bool add_region(void *owner, const struct ps_hbase_meta_row *row)
{
    struct ps_key_ranges *regions = owner;
    look(row->host, row->host_length);
    if (row->is_gone || row->is_other)
        return true;
    return ps_key_ranges_add(regions, &row->region);
}

static void look_at_meta(const uint8_t *bytes, size_t length)
{
    struct ps_key_ranges regions = {.items = NULL};
    (void)ps_hbase_meta_parse(bytes, length, "t1", add_region, &regions);
    for (uint32_t i = 0; i < regions.count; i++) {
        const struct ps_key_range *region = regions.items[i];
        look(region->name, region->name_length);
        look(region->end, region->end_length);
        PS_ASSERT(i == 0 || regions.items[i - 1]->end_length > 0); /* none is behind the last one */
    }
    (void)ps_key_ranges_find(&regions, (const char *)bytes, length < 8 ? length : 8);
    ps_key_ranges_free(&regions);
}

static void look_at_answer(const uint8_t *bytes, size_t length)
{
    struct ps_hbase_answer answer;
    if (!ps_hbase_parse_answer(bytes, length, &answer))
        return;
    look(answer.class, answer.class_length);
    look(answer.text, answer.text_length);
    look(answer.body, answer.body_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_hbase_registry_answer server;
    size_t results = 0;
    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0:
        look_at_answer(data + 1, size - 1);
        break;
    case 1:
        (void)ps_hbase_multi_parse(data + 1, size - 1, look_at_result, &results);
        PS_ASSERT(results <= size);
        break;
    case 2:
        look_at_meta(data + 1, size - 1);
        break;
    default:
        if (ps_hbase_registry_parse(data + 1, size - 1, &server))
            look(server.host, strlen(server.host));
        break;
    }
    return 0;
}
