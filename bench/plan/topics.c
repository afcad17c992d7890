/* Looks whether the topics of a subject exist, before anything is measured. */
#include "bench/plan/reach.h"
#include "bench/plan/subject.h"
#include "bench/support/url.h"
#include "stages/lib/kafka/librdkafka/reader.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 10000

static enum ps_status topics_look(struct ps_url *url, const char *text, bool may_create, struct ps_err *err)
{
    struct ps_kafka_settings settings;
    const char *name, *value;
    char *path = ps_must_copy_text(url->path, "the topics of a plan"), *place = NULL;
    int32_t partition_count;
    enum ps_status status = PS_OK;
    ps_kafka_settings_init(&settings);
    ps_kafka_text_set(&settings.texts.servers, url->hosts);
    for (unsigned at = 0; status == PS_OK && ps_url_next(url, "kafka.", &at, &name, &value);)
        status = ps_kafka_settings_try(&settings, name, value, err);
    for (char *topic = strtok_r(path, "/,", &place); topic != NULL && status == PS_OK;
         topic = strtok_r(NULL, "/,", &place)) {
        status = ps_kafka_partition_count(&settings, topic, may_create, ANSWER_MS, &partition_count, err);
        if (status != PS_OK)
            ps_err_append(err, "%s", text);
    }
    ps_kafka_settings_fini(&settings);
    free(path);
    return status;
}

static enum ps_status url_look(const char *text, bool may_create, struct ps_err *err)
{
    struct ps_url url;
    struct ps_err ignored = {0};
    if (strncmp(text, "kafka://", 8) != 0 || ps_url_parse(&url, text, &ignored) != PS_OK)
        return PS_OK;
    if (ps_reach_look(text, err) != PS_OK) {
        ps_url_fini(&url);
        return PS_FAIL;
    }
    /* load and verify say what is wrong with a URL */
    enum ps_status status = *url.hosts != '\0' ? topics_look(&url, text, may_create, err) : PS_OK;
    ps_url_fini(&url);
    return status;
}

enum ps_status ps_subject_topics_look(const struct ps_subject *subject, struct ps_err *err)
{
    /* the embedded broker is new, and nobody else's */
    bool may_create = subject->embedded_broker;
    enum ps_status status = url_look(subject->target, may_create, err);
    for (unsigned i = 0; i < subject->from_count && status == PS_OK; i++)
        status = url_look(subject->from[i], may_create, err);
    return status;
}
