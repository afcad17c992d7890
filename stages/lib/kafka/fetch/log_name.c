#include "stages/lib/kafka/fetch/log_name.h"

#include <string.h>

#include "core/decimal.h"
#include "core/text/base64.h"

#define ID_LETTERS 22U

/* Writes the id as Kafka's tools print it: base64 for URLs, without padding. */
static void make(struct ps_kafka_log_name *name, const char *topic_id, int32_t epoch)
{
    char letters[ID_LETTERS + 2];
    (void)ps_base64_encode(letters, topic_id, PS_KAFKA_NATIVE_TOPIC_ID_BYTES);
    for (unsigned i = 0; i < ID_LETTERS; i++)
        name->text[i] = letters[i] == '+' ? '-' : letters[i] == '/' ? '_' : letters[i];
    name->text[ID_LETTERS] = '/';
    name->length = (uint32_t)(ps_decimal_put(name->text + ID_LETTERS + 1, (uint64_t)epoch) - name->text);
    memcpy(name->topic_id, topic_id, sizeof name->topic_id);
    name->epoch = epoch;
}

bool ps_kafka_log_name_find(struct ps_kafka_log_name *last, const char *topic_id, uint64_t cluster,
                            int32_t epoch, struct ps_identity *identity)
{
    if (topic_id == NULL || cluster == 0 || epoch < 0)
        return false;
    if (last->length == 0 || last->epoch != epoch ||
        memcmp(last->topic_id, topic_id, sizeof last->topic_id) != 0)
        make(last, topic_id, epoch);
    identity->name = (struct ps_slice){last->text, last->length};
    identity->store = cluster;
    return true;
}
