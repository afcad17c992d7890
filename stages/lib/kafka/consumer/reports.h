/* Errors that a consumer logs, each with its remedy; the same error is not logged again for 30 s. Codes above zero are
 * Kafka's, codes below zero are librdkafka's own. Thread: the source's worker. */
#pragma once

#include "core/base.h"

#include <librdkafka/rdkafka.h>

struct ps_kafka_reports {
    const char *component; /* for the log */
    bool cut_off;          /* a connection error was logged, and no record has come since */
    struct {
        rd_kafka_resp_err_t code;
        uint64_t mono_ns;
    } reported[8]; /* the errors logged last */
};

/* Returns what an operator may do about the error, or NULL. */
const char *ps_kafka_consumer_remedy(rd_kafka_resp_err_t code);

/* Logs an error. `text` NULL or empty: logs the text of the code. */
void ps_kafka_reports_error(struct ps_kafka_reports *reports, rd_kafka_resp_err_t code, const char *text,
                            uint64_t mono_ns);

/* Called when records come: after a connection error logs the recovery, and allows the same errors to be logged
 * again. */
void ps_kafka_reports_recovery(struct ps_kafka_reports *reports);
