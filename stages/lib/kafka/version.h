/* The version of librdkafka that is linked, for reports. Thread: any. */
#pragma once

/* Returns "2.0.2". */
const char *ps_kafka_version(void);
