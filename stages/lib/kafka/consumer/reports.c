#include "stages/lib/kafka/consumer/reports.h"

#include "core/clock.h"
#include "core/log/log.h"

#include <string.h>

/* The same error is logged again after this time. */
#define SAME_ERROR_NS (UINT64_C(30) * PS_NS_PER_S)

static const struct {
    rd_kafka_resp_err_t code;
    const char *remedy;
} remedies[] = {
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "check kafka.bootstrap.servers, the brokers and the network"},
    {RD_KAFKA_RESP_ERR__TRANSPORT, "check kafka.bootstrap.servers, the brokers and the network"},
    {RD_KAFKA_RESP_ERR__RESOLVE, "check the host names in kafka.bootstrap.servers and the name service"},
    {RD_KAFKA_RESP_ERR__SSL, "check kafka.consumer.security.protocol and the kafka.consumer.ssl.* stores"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, "check kafka.consumer.sasl.mechanism and sasl.jaas.config"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "check user and password in sasl.jaas.config"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "grant this user Read and Describe on the topic"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "grant this user Read on the group"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "create the topic, or correct kafka.topics"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "create the topic, or correct kafka.topics"},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
     "all members of a group need a common partition.assignment.strategy"},
    {RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, "the process did not poll in time; check its load and pauses"},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
     "another member of the group has the same kafka.consumer.group.instance.id: give each agent and each "
     "source an id of its own"},
    {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, "raise the broker's offset.metadata.max.bytes"},
};

const char *ps_kafka_consumer_remedy(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < PS_COUNT_OF(remedies); i++) {
        if (remedies[i].code == code)
            return remedies[i].remedy;
    }
    return NULL;
}

static bool is_connection(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__RESOLVE || code == RD_KAFKA_RESP_ERR__SSL ||
           code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
}

/* Returns whether this error was logged a short while ago; if not, records it as logged now. After a connection
 * error, "all brokers are down" and "a connection broke" say nothing new, and count as logged. */
static bool was_reported(struct ps_kafka_reports *reports, rd_kafka_resp_err_t code, uint64_t mono_ns)
{
    size_t oldest = 0;
    bool down = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT;
    for (size_t i = 0; i < PS_COUNT_OF(reports->reported); i++) {
        rd_kafka_resp_err_t before = reports->reported[i].code;
        if ((before == code || (down && is_connection(before))) &&
            mono_ns - reports->reported[i].mono_ns < SAME_ERROR_NS)
            return true;
        if (reports->reported[i].mono_ns < reports->reported[oldest].mono_ns)
            oldest = i;
    }
    reports->reported[oldest].code = code;
    reports->reported[oldest].mono_ns = mono_ns;
    reports->cut_off |= is_connection(code);
    return false;
}

void ps_kafka_reports_recovery(struct ps_kafka_reports *reports)
{
    if (!reports->cut_off)
        return;
    reports->cut_off = false;
    memset(reports->reported, 0, sizeof reports->reported);
    ps_log(PS_LOG_INFO, reports->component, "Kafka delivers records again");
}

void ps_kafka_reports_error(struct ps_kafka_reports *reports, rd_kafka_resp_err_t code, const char *text,
                            uint64_t mono_ns)
{
    if (was_reported(reports, code, mono_ns))
        return;
    const char *remedy = ps_kafka_consumer_remedy(code);
    ps_log(PS_LOG_ERROR, reports->component, "Kafka: %s (%s)%s%s; retrying",
           text != NULL && *text != '\0' ? text : rd_kafka_err2str(code), rd_kafka_err2name(code),
           remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
}
