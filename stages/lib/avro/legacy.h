/* FlumeOGEventAvroServer of Flume 0.9 (flumeCompatibility.avdl): void append(AvroFlumeOGEvent evt), over Avro's
 * HTTP transport: the body of a POST has frames, each an int32 length and that many bytes; an empty frame is
 * the last one. The bytes of all frames are a handshake and a call. Sources: HttpTransceiver and Responder of
 * Avro 1.11. Thread: any; no state. */
#pragma once

#include "stages/lib/avro/reader.h"
#include "stages/lib/legacy_event.h"

struct ps_avro_legacy_request {
    const char *reason; /* why the body is refused, a static text; NULL: it has an event */
    struct ps_legacy_event event;
    struct ps_avro_reader fields; /* cursor of the event's fields, with the rest of their block */
    int64_t block_left;
};

/* Reads the body of a request. It joins the frames in place, and the body can be read again afterwards. The
 * result points into the body and into itself, so it must not be copied. */
void ps_avro_legacy_read(char *body, size_t length, struct ps_avro_legacy_request *request);

/* The answer to a successful append. */
#define PS_AVRO_LEGACY_TYPE "avro/binary"
#define PS_AVRO_LEGACY_ANSWER_BYTES 14U
extern const char ps_avro_legacy_answer[PS_AVRO_LEGACY_ANSWER_BYTES];
