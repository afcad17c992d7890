/* FlumeOGEventAvroServer of Flume 0.9 (flumeCompatibility.avdl): void append(AvroFlumeOGEvent evt), over Avro's HTTP transport: the
 * body of a POST has frames, int32 length and so many bytes, up to one of no length; together they are a handshake and a
 * call. Sources: HttpTransceiver and Responder of Avro 1.11. Thread: any; no state. */
#pragma once

#include "stages/lib/avro/reader.h"
#include "stages/lib/legacy_event.h"

struct ps_avro_legacy_request {
    const char *reason; /* why it is none; NULL: it has an event. Static */
    struct ps_legacy_event event;
    struct ps_avro_reader fields; /* the event's cursor, with what is left of its block */
    int64_t block_left;
};

/* Reads the body of a request; makes its frames one, in place: it may be read again. The result points into the body and into
 * itself: it is not to be copied. */
void ps_avro_legacy_read(char *body, size_t length, struct ps_avro_legacy_request *request);

/* The answer to an append that was done. */
#define PS_AVRO_LEGACY_TYPE "avro/binary"
#define PS_AVRO_LEGACY_ANSWER_BYTES 14U
extern const char ps_avro_legacy_answer[PS_AVRO_LEGACY_ANSWER_BYTES];
