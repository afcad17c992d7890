/* The pools of batches and requests, and the calls of the sink's listener. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "core/quantity.h"
#include "stages/lib/kafka/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer of a coordinator that passes as a rule is named after this time, before the sink says that nothing was delivered
 * (STALL_NS in produce/silence.c), and again after this time. */
#define TELL_WAIT_NS (5 * PS_NS_PER_S)
#define TELL_AGAIN_NS (60 * PS_NS_PER_S)

/* Returns the list for batches of this many bytes. A list has batches of similar sizes: else the batches of partitions with few
 * records would get the large buffers of those with many, and all buffers would become large. */
static unsigned size_of(uint64_t bytes)
{
    return bytes <= 4096 ? 0 : bytes <= 32768 ? 1 : bytes <= 262144 ? 2 : 3;
}

static struct ps_kafka_native_batch *pop_free(struct ps_kafka_native *client, unsigned size)
{
    struct ps_kafka_native_batch *batch = client->free.batches[size];
    if (batch == NULL)
        return NULL;
    client->free.batches[size] = batch->next;
    client->free.batch_bytes -= ps_kafka_native_batch_memory(batch);
    return batch;
}

/* Frees batches that are not used, the largest ones first, while all batches have more memory than they may. */
static void trim(struct ps_kafka_native *client)
{
    uint64_t most = ps_kafka_native_memory_bytes_max(client);
    for (unsigned size = PS_KAFKA_NATIVE_BATCH_SIZES; size > 0; size--) {
        while (client->free.batches[size - 1] != NULL &&
               client->queued.memory_bytes + client->free.batch_bytes > most)
            ps_kafka_native_batch_free(pop_free(client, size - 1));
    }
}

/* Prefers a batch as large as the partition's last one, to a smaller one, to a new one. */
struct ps_kafka_native_batch *ps_kafka_native_take_batch(struct ps_kafka_native *client,
                                                         struct ps_kafka_native_partition *partition)
{
    struct ps_kafka_native_batch *batch = NULL;
    for (unsigned size = size_of(partition->usual_bytes) + 1; size > 0 && batch == NULL; size--)
        batch = pop_free(client, size - 1);
    if (batch == NULL && (batch = ps_kafka_native_batch_make()) == NULL)
        return NULL;
    ps_kafka_native_batch_reset(batch, partition);
    batch->born_ns = client->now.mono_ns;
    ps_kafka_native_batch_grew(client, batch, 0);
    return batch;
}

void ps_kafka_native_batch_grew(struct ps_kafka_native *client, const struct ps_kafka_native_batch *batch,
                                uint64_t before)
{
    uint64_t bytes = ps_kafka_native_batch_memory(batch);
    if (PS_LIKELY(bytes == before))
        return;
    client->queued.memory_bytes += bytes - before;
    if (client->queued.memory_bytes + client->free.batch_bytes > ps_kafka_native_memory_bytes_max(client))
        trim(client);
}

/* Keeps the batch for later use, unless all batches have more memory than they may. */
void ps_kafka_native_give_batch(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch)
{
    uint64_t bytes = ps_kafka_native_batch_memory(batch);
    unsigned size = size_of(batch->room);
    client->queued.memory_bytes -= bytes;
    if (client->queued.memory_bytes + client->free.batch_bytes + bytes >
        ps_kafka_native_memory_bytes_max(client)) {
        ps_kafka_native_batch_free(batch);
        return;
    }
    client->free.batch_bytes += bytes;
    batch->next = client->free.batches[size];
    client->free.batches[size] = batch;
}

struct ps_kafka_native_request *ps_kafka_native_take_request(struct ps_kafka_native *client,
                                                             enum ps_kafka_native_kind kind, int16_t version)
{
    struct ps_kafka_native_request *request = client->free.requests;
    if (request != NULL)
        client->free.requests = request->next;
    else if ((request = calloc(1, sizeof *request)) == NULL)
        return NULL;
    request->next = NULL;
    request->kind = kind;
    request->version = version;
    request->batch_count = 0;
    request->timeout_ns = 0;
    request->answer = NULL;
    request->ignored = false;
    request->question_ns = 0;
    return request;
}

void ps_kafka_native_give_request(struct ps_kafka_native *client, struct ps_kafka_native_request *request)
{
    request->next = client->free.requests;
    client->free.requests = request;
}

void ps_kafka_native_report(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch, int error)
{
    const struct ps_kafka_report report = {
        .error = error,
        .perhaps_written = error != 0 && batch->perhaps_written,
        .count = batch->count,
        .group_count = batch->count,
        .group_bytes = batch->payload_bytes,
        .partition = batch->partition->number,
        .sent_ns = batch->sent_ns,
        .topic = batch->partition->topic->name,
        .tokens = batch->tokens,
    };
    client->queued.bytes -= batch->plain_length != 0 ? batch->plain_length : batch->length;
    client->queued.records -= batch->count;
    client->reported += batch->count;
    client->listener->report(client->listener->argument, &report);
    ps_kafka_native_give_batch(client, batch);
}

void ps_kafka_native_report_record(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch,
                                   int error, uint32_t record)
{
    void *token = batch->tokens[record];
    const struct ps_kafka_report report = {
        .error = error,
        .count = 1,
        .group_count = 1,
        .partition = batch->partition->number,
        .topic = batch->partition->topic->name,
        .tokens = &token,
    };
    batch->count--;
    memmove(batch->tokens + record, batch->tokens + record + 1,
            (batch->count - record) * sizeof *batch->tokens);
    client->queued.records--;
    client->reported++;
    client->listener->report(client->listener->argument, &report);
    ps_kafka_native_report(client, batch, PS_KAFKA_LIBRARY_PURGE_QUEUE);
}

void ps_kafka_native_notice(struct ps_kafka_native *client, enum ps_kafka_notice_kind kind, int code,
                            const char *text)
{
    const struct ps_kafka_notice notice = {.kind = kind, .code = code, .text = text};
    client->listener->notice(client->listener->argument, &notice);
}

bool ps_kafka_native_may_tell(const struct ps_kafka_native *client, uint64_t *told_ns)
{
    if (*told_ns != 0 && client->now.mono_ns < *told_ns + TELL_AGAIN_NS)
        return false;
    *told_ns = client->now.mono_ns;
    return true;
}

void ps_kafka_native_note_wait(struct ps_kafka_native *client, struct ps_kafka_native_wait *wait,
                               const char *what, int16_t error)
{
    char text[PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES + 256];
    if (wait->since_ns == 0)
        wait->since_ns = client->now.mono_ns;
    uint64_t waits_ns = client->now.mono_ns - wait->since_ns;
    if (waits_ns < TELL_WAIT_NS || !ps_kafka_native_may_tell(client, &wait->told_ns))
        return;
    snprintf(text, sizeof text, "%s for %s: %s", what, ps_quantity_print_ns(waits_ns).text,
             ps_kafka_error_find(error)->name);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, error, text);
}

unsigned ps_kafka_native_note_all_down(struct ps_kafka_native *client)
{
    unsigned count = 0;
    for (const struct ps_kafka_native_broker *broker = client->brokers; broker != NULL;
         broker = broker->next) {
        if (broker->gone)
            continue;
        count++;
        if (client->all_down_told || broker->phase != PS_KAFKA_NATIVE_DOWN || broker->failures == 0)
            return 0;
    }
    client->all_down_told = true;
    return count;
}

void ps_kafka_native_tell_all_down(struct ps_kafka_native *client, unsigned count, const char *reason)
{
    char text[PS_TRANSPORT_REASON_BYTES + 64];
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%u/%u brokers are down: %s", count, count, reason);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN, text);
}

void ps_kafka_native_die(struct ps_kafka_native *client, int code, const char *format, ...)
{
    if (client->fatal)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(client->fatal_error.text, sizeof client->fatal_error.text, format, arguments);
    va_end(arguments);
    client->fatal = true;
    client->fatal_error.code = code;
}

void ps_kafka_native_want_metadata(struct ps_kafka_native *client)
{
    client->metadata.wanted = true;
}

bool ps_kafka_native_refuse(char *reason, const char *what)
{
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%.*s", (int)PS_TRANSPORT_REASON_BYTES - 1, what);
    return false;
}
