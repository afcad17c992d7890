/* Implements kafka/librdkafka/farewell.h. */
#include "stages/lib/kafka/librdkafka/farewell.h"

#include <stdlib.h>
#include <string.h>

#include "core/helper/helper.h"

/* The data of the thread, which may run longer than the owner and its plan exist. */
struct departure {
    struct ps_kafka_consumer consumer;
    char *component;
    bool leave;
};

struct ps_kafka_farewell {
    struct ps_helper *helper;
    bool over;
};

/* ---- the thread ---- */

static void depart(struct departure *departure)
{
    struct ps_kafka_consumer *consumer = &departure->consumer;
    if (departure->leave && consumer->client != NULL && !consumer->fatal && consumer->closing == NULL)
        ps_kafka_consumer_leave(consumer);
    ps_kafka_consumer_destroy(consumer);
}

static void run(void *departure, void *)
{
    depart(departure);
}

static void end(void *departure_)
{
    struct departure *departure = departure_;
    depart(departure); /* does nothing, unless the farewell ended before the thread began */
    free(departure->component);
    free(departure);
}

/* ---- the owner ---- */

static struct departure *make_departure(struct ps_kafka_consumer *consumer, bool leave)
{
    struct departure *departure = calloc(1, sizeof *departure);
    if (departure == NULL)
        return NULL;
    *departure = (struct departure){*consumer, strdup(consumer->component), leave};
    if (departure->component == NULL) {
        free(departure);
        return NULL;
    }
    departure->consumer.component = departure->consumer.reports.component = departure->component;
    departure->consumer.wanted = (struct ps_texts){0};
    return departure;
}

struct ps_kafka_farewell *ps_kafka_farewell_begin(struct ps_kafka_consumer *consumer, bool leave)
{
    struct ps_err err = {0};
    struct ps_kafka_farewell *farewell = calloc(1, sizeof *farewell);
    struct departure *departure = farewell != NULL ? make_departure(consumer, leave) : NULL;
    if (departure != NULL)
        farewell->helper = ps_helper_create(&(struct ps_helper_settings){.name = "kafka-leaver",
                                                                         .room = 1,
                                                                         .wake_fd = -1,
                                                                         .run = run,
                                                                         .end = end,
                                                                         .argument = departure},
                                            &err);
    if (farewell == NULL || farewell->helper == NULL) {
        free(farewell);
        if (departure != NULL)
            free(departure->component);
        free(departure);
        ps_kafka_consumer_destroy(consumer);
        return NULL;
    }
    *consumer = (struct ps_kafka_consumer){.component = consumer->component};
    bool has_room = ps_helper_ask(farewell->helper, departure);
    PS_ASSERT(has_room);
    return farewell;
}

bool ps_kafka_farewell_is_over(struct ps_kafka_farewell *farewell)
{
    if (farewell != NULL && !farewell->over)
        farewell->over = ps_helper_answer(farewell->helper) != NULL;
    return farewell == NULL || farewell->over;
}

void ps_kafka_farewell_end(struct ps_kafka_farewell *farewell, uint32_t patience_ms)
{
    if (farewell == NULL)
        return;
    (void)ps_helper_destroy(farewell->helper, patience_ms);
    free(farewell);
}
