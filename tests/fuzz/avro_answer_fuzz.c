/* Answers of an Avro server, as the client of penstock load reads them. The first byte decides whether the
 * first answer begins with a handshake. */
#include "stages/lib/avro/rpc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    bool handshake = size > 0 && data[0] != 0;
    size_t at = size > 0;
    while (at < size) {
        struct ps_avro_answer answer;
        size_t taken = 0;
        enum ps_avro_reading reading =
            ps_avro_read_answer(data + at, size - at, handshake, scratch, &answer, &taken);
        PS_ASSERT(memchr(answer.error, 0, sizeof answer.error) != NULL);
        /* A buffer of the largest size never asks for more. */
        PS_ASSERT(reading != PS_AVRO_MORE || size - at < PS_AVRO_WIRE_BYTES_MAX);
        if (reading != PS_AVRO_ANSWER)
            break;
        PS_ASSERT(taken >= 8 && taken <= size - at && answer.status <= PS_AVRO_UNKNOWN);
        at += taken;
        handshake = false;
    }
    return 0;
}
