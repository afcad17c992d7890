/* Messages of Flume 0.9's Thrift clients, which have no frame, and log entries of scribe's: the end of one is found without reading past the input,
 * whatever bytes follow, and a part of a message is never taken for a whole one. */
#include "stages/lib/thrift/legacy.h"
#include "stages/lib/thrift/scribe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536U

static void read_bare(const char *bytes, size_t size)
{
    struct ps_thrift_legacy_message message;
    uint32_t length = 0, again = 0;
    enum ps_thrift_framing found = ps_thrift_bare_measure(bytes, size, MOST, &length);
    if (found != PS_THRIFT_WHOLE)
        return;
    PS_ASSERT(length > 0 && length <= size);
    PS_ASSERT(ps_thrift_bare_measure(bytes, length - 1, MOST, &again) == PS_THRIFT_PARTIAL);
    PS_ASSERT(ps_thrift_bare_measure(bytes, length, MOST, &again) == PS_THRIFT_WHOLE && again == length);
    ps_thrift_legacy_read(bytes, length, &message);
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    if (message.call == PS_THRIFT_LEGACY_BAD)
        return;
    if (message.call == PS_THRIFT_LEGACY_STRANGER)
        PS_ASSERT(ps_thrift_legacy_put_error(reply, &message, PS_THRIFT_UNKNOWN_METHOD, "no") <=
                  sizeof reply);
    if (message.call != PS_THRIFT_LEGACY_APPEND)
        return;
    const struct ps_legacy_event *event = &message.event;
    PS_ASSERT(event->body.length == 0 ||
              (event->body.data >= bytes && event->body.data + event->body.length <= bytes + length));
    for (uint32_t i = 0; i < event->field_count; i++) {
        struct ps_slice name, value;
        event->next_field(event->cursor, &name, &value);
        PS_ASSERT(name.data + name.length <= bytes + length && value.data + value.length <= bytes + length);
    }
}

/* The checked entries can be read again. */
static void read_scribe(const char *bytes, size_t size)
{
    struct ps_thrift_request request;
    if (!ps_thrift_request_read(&ps_thrift_scribe, bytes, size, &request) ||
        request.error != PS_THRIFT_NO_ERROR)
        return;
    struct ps_thrift_reader in = {.at = (const uint8_t *)bytes + request.events_at,
                                  .end = (const uint8_t *)bytes + size,
                                  .compact = request.compact};
    for (uint32_t i = 0; i < request.events; i++)
        PS_ASSERT(ps_thrift_scribe.check(&in) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > MOST)
        return 0;
    char *bytes = malloc(size); /* so that the sanitizer sees its end */
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, data, size);
    read_bare(bytes, size);
    read_scribe(bytes, size);
    free(bytes);
    return 0;
}
