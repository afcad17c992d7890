/* Answers of a metastore to any call: any bytes. Nothing may be read outside them, and no memory may be reserved for lengths that they only claim.
 * Input: the call (1 byte), then the message, whose number is taken as the right one. */
#include "stages/lib/hive/message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum; /* of all that the slices point to, so that it is read */

static void look(struct ps_slice text)
{
    for (uint32_t i = 0; i < text.length; i++)
        sum += (unsigned char)text.data[i];
}

static void look_all(const struct ps_hive_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        look(pairs->all[i].name);
        look(pairs->all[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_hive_answer answer;
    struct ps_thrift_message message = {0};
    if (size < 2)
        return 0;
    enum ps_hive_call call = (enum ps_hive_call)(data[0] % PS_HIVE_CALLS);
    struct ps_thrift_reader head = {.at = data + 1, .end = data + size};
    (void)ps_thrift_read_message(&head, &message);
    ps_hive_answer_read(call, message.number, data + 1, size - 1, &answer);
    PS_ASSERT((answer.error == PS_HIVE_OK) == (answer.reason[0] == '\0') || answer.error != PS_HIVE_OK);
    PS_ASSERT(answer.number_count <= 2 * size);
    for (size_t i = 0; i < answer.number_count; i++)
        sum += (uint64_t)answer.numbers[i];
    look(answer.table.location);
    look(answer.table.serde);
    look_all(&answer.table.columns);
    look_all(&answer.table.partition_keys);
    look_all(&answer.table.bucket_columns);
    look_all(&answer.table.parameters);
    look_all(&answer.table.serde_parameters);
    look(ps_hive_pairs_find(&answer.table.parameters, "transactional"));
    ps_hive_answer_free(&answer);
    return 0;
}
