#include "stages/lib/kafka/channel/reason.h"

#include <stdio.h>
#include <string.h>

void ps_kafka_reason_init(struct ps_kafka_reason *reason)
{
    pthread_mutex_init(&reason->lock, NULL);
    reason->text[0] = '\0';
}

void ps_kafka_reason_fini(struct ps_kafka_reason *reason)
{
    pthread_mutex_destroy(&reason->lock);
}

void ps_kafka_reason_note(struct ps_kafka_reason *reason, const char *text)
{
    if (strncmp(reason->text, text, sizeof reason->text - 1) == 0)
        return;
    pthread_mutex_lock(&reason->lock);
    snprintf(reason->text, sizeof reason->text, "%.*s", (int)sizeof reason->text - 1, text);
    pthread_mutex_unlock(&reason->lock);
}

void ps_kafka_reason_read(struct ps_kafka_reason *reason, char to[PS_KAFKA_REASON_BYTES],
                          const char *otherwise)
{
    pthread_mutex_lock(&reason->lock);
    snprintf(to, PS_KAFKA_REASON_BYTES, "%s", reason->text[0] != '\0' ? reason->text : otherwise);
    pthread_mutex_unlock(&reason->lock);
}
