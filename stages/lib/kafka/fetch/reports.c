#include "stages/lib/kafka/fetch/reports.h"

#include "core/clock.h"
#include "core/log/log.h"
#include "stages/lib/kafka/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 768U
/* The same error is logged again after this time. */
#define SAME_ERROR_NS (UINT64_C(30) * PS_NS_PER_S)
/* A client that has reached no broker for this time after its start, and got no error either, counts as cut off. */
#define REACH_NS (5 * PS_NS_PER_S)
/* A group may give a member no partition for a moment, while it rebalances. */
#define WITHOUT_NS (5 * PS_NS_PER_S)

/* Returns whether this error was logged a short while ago; if not, records it as logged now. After a connection
 * error, "all brokers are down" and "a connection broke" say nothing new, and count as logged. */
static bool was_reported(struct ps_kafka_reports *reports, int code)
{
    size_t oldest = 0;
    bool down = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT;
    for (size_t i = 0; i < PS_COUNT_OF(reports->reported); i++) {
        int before = reports->reported[i].code;
        if ((before == code || (down && ps_kafka_error_is_of_connection(before))) &&
            reports->now_ns - reports->reported[i].mono_ns < SAME_ERROR_NS)
            return true;
        if (reports->reported[i].mono_ns < reports->reported[oldest].mono_ns)
            oldest = i;
    }
    reports->reported[oldest].code = code;
    reports->reported[oldest].mono_ns = reports->now_ns;
    reports->cut_off |= ps_kafka_error_is_of_connection(code);
    return false;
}

/* ---- what is missing ---- */

/* Returns the need that the error names; PS_KAFKA_NEEDS: none. Nothing is missing when one broker of several is down. */
static enum ps_kafka_need need_of(const struct ps_kafka_reports *reports, int code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return PS_KAFKA_NEED_BROKERS;
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return reports->reached ? PS_KAFKA_NEEDS : PS_KAFKA_NEED_BROKERS;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR__INCONSISTENT: /* what another client wrote (group/membership.c) */
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return PS_KAFKA_NEED_GROUP;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        return PS_KAFKA_NEED_TOPICS;
    default:
        return PS_KAFKA_NEEDS;
    }
}

void ps_kafka_reports_missing(struct ps_kafka_reports *reports, enum ps_kafka_need need, const char *why)
{
    reports->is_missing[need] = true;
    snprintf(reports->missing[need], PS_KAFKA_LACK_BYTES, "%.*s", (int)PS_KAFKA_LACK_BYTES - 1, why);
}

void ps_kafka_reports_met(struct ps_kafka_reports *reports, enum ps_kafka_need need)
{
    reports->is_missing[need] = false;
    reports->reached |= need == PS_KAFKA_NEED_BROKERS;
}

/* A consumer that the group gives nothing to read has what it needs. */
static enum ps_lack lack_of_input(struct ps_kafka_reports *reports, bool has_partitions, bool has_topics,
                                  const char **why)
{
    if (has_partitions || reports->without_ns == 0)
        reports->without_ns = has_partitions ? 0 : reports->now_ns;
    if (has_partitions || reports->now_ns - reports->without_ns < WITHOUT_NS)
        return PS_LACK_NONE;
    *why = has_topics ? PS_KAFKA_NO_PARTITION : "no topic of the cluster matches kafka.topics.regex";
    return PS_LACK_INPUT;
}

enum ps_lack ps_kafka_reports_lack(struct ps_kafka_reports *reports, bool has_partitions, bool has_topics,
                                   const char **why)
{
    if (reports->opened_ns == 0)
        reports->opened_ns = reports->now_ns;
    for (unsigned need = 0; need < PS_KAFKA_NEEDS; need++) {
        if (!reports->is_missing[need])
            continue;
        *why = reports->missing[need];
        if (need == PS_KAFKA_NEED_BROKERS && !reports->reached)
            return PS_LACK_NEVER;
        return need == PS_KAFKA_NEED_BROKERS || need == PS_KAFKA_NEED_LEADERS ? PS_LACK_LOST : PS_LACK_GONE;
    }
    if (reports->reached)
        return lack_of_input(reports, has_partitions, has_topics, why);
    *why = "no broker has answered yet; check kafka.bootstrap.servers, the brokers and the network";
    return reports->now_ns - reports->opened_ns >= REACH_NS ? PS_LACK_NEVER : PS_LACK_NONE;
}

int ps_kafka_reports_lack_level(enum ps_lack lack, const char *why)
{
    bool standby = lack == PS_LACK_INPUT && strcmp(why, PS_KAFKA_NO_PARTITION) == 0;
    return standby ? PS_LOG_INFO : lack == PS_LACK_INPUT ? PS_LOG_WARN : PS_LOG_DEBUG;
}

void ps_kafka_reports_recovery(struct ps_kafka_reports *reports)
{
    ps_kafka_reports_met(reports, PS_KAFKA_NEED_BROKERS);
    if (!reports->cut_off)
        return;
    reports->cut_off = false;
    memset(reports->reported, 0, sizeof reports->reported);
    ps_log(PS_LOG_INFO, reports->component, "Kafka delivers records again");
}

void ps_kafka_reports_error(struct ps_kafka_reports *reports, int code, const char *format, ...)
{
    char text[TEXT_BYTES], why[PS_KAFKA_LACK_BYTES];
    const char *remedy = ps_kafka_error_find(code)->remedy;
    const char *link = remedy != NULL ? "; " : "";
    remedy = remedy != NULL ? remedy : "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    enum ps_kafka_need need = need_of(reports, code);
    if (need != PS_KAFKA_NEEDS) {
        snprintf(why, sizeof why, "%.160s%s%s", text, link, remedy);
        ps_kafka_reports_missing(reports, need, why);
    }
    if (!was_reported(reports, code))
        ps_log(PS_LOG_ERROR, reports->component, "Kafka: %s (%s)%s%s; retrying", text,
               rd_kafka_err2name((rd_kafka_resp_err_t)code), link, remedy);
}
