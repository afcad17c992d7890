/* Bodies of requests of Flume 0.9's Avro clients: nothing is read outside them, the values found lie in them, and a second
 * read gives the same values. */
#include "stages/lib/avro/legacy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct ps_slice slice, const char *bytes, size_t size)
{
    PS_ASSERT(slice.data >= bytes && slice.data + slice.length <= bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    char *bytes = malloc(size);
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, data, size);
    struct ps_avro_legacy_request request, again;
    ps_avro_legacy_read(bytes, size, &request);
    ps_avro_legacy_read(bytes, size, &again);
    PS_ASSERT((request.reason == NULL) == (again.reason == NULL));
    if (request.reason == NULL) {
        struct ps_legacy_event *event = &request.event;
        check_slice(event->body, bytes, size);
        check_slice(event->host, bytes, size);
        PS_ASSERT(ps_header_sizes_refusal(&event->sizes) == NULL &&
                  event->field_count == again.event.field_count);
        for (uint32_t i = 0; i < event->field_count; i++) {
            struct ps_slice name, value;
            event->next_field(event->cursor, &name, &value);
            check_slice(name, bytes, size);
            check_slice(value, bytes, size);
        }
    }
    free(bytes);
    return 0;
}
