#include "tests/support/rpc_calls.h"

#include "stages/lib/avro/server.h"
#include "stages/lib/thrift/source.h"

/* Laid out as the state of the source avro (stages/sources/avro.c). */
struct avro_state {
    struct ps_stream stream;
    const void *plan;
    struct ps_avro_server server;
};

uint32_t ps_test_rpc_calls_in_use(const struct ps_test_stage *stage)
{
    struct ps_calls *calls = &((struct ps_thrift_source *)stage->state)->server.base.calls;
    uint32_t unused = 0;
    if (stage->ops == &ps_source_avro) {
        assert_int_equal(stage->ops->state_size, sizeof(struct avro_state));
        calls = &((struct avro_state *)stage->state)->server.base.calls;
    }
    for (uint32_t next = calls->free; next > 0; next = ps_calls_at(calls, next - 1)->next_free)
        unused++;
    return calls->chunk_count * 64U - unused;
}
