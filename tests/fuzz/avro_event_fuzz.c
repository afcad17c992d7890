/* The reader of Flume events on Kafka, on any bytes: slices stay inside the input, and reading ends. */
#include "stages/lib/avro/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_avro_event_reader reader;
    struct ps_slice name = {0}, value = {0};
    enum ps_avro_event_step step;
    size_t steps = 0;
    ps_avro_event_reader_init(&reader, data, size);
    do {
        step = ps_avro_event_reader_next(&reader, &name, &value);
        if (step == PS_AVRO_EVENT_BAD)
            break;
        const char *begin = (const char *)data, *end = begin + size;
        PS_ASSERT(value.data >= begin && value.data + value.length <= end);
        if (step == PS_AVRO_EVENT_HEADER)
            PS_ASSERT(name.data >= begin && name.data + name.length <= end);
        PS_ASSERT(++steps <= size);
    } while (step == PS_AVRO_EVENT_HEADER);
    return 0;
}
