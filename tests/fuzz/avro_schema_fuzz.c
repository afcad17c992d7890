/* Avro schemas, and data of them: any bytes. Input: the length of the schema (2 bytes), the schema's JSON, the data. */
#include "stages/lib/avro/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t length = (size_t)data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    if (length > size)
        length = size;
    struct ps_avro_schema *schema = ps_avro_schema_create((const char *)data, length, NULL);
    if (schema == NULL)
        return 0;
    const uint8_t *at = data + length, *end = data + size;
    for (const uint8_t *before = NULL; before != at && ps_avro_schema_skip(schema, &at, end);) {
        PS_ASSERT(at <= end);
        before = at;
    }
    ps_avro_schema_destroy(schema);
    return 0;
}
