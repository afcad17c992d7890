/* The version of librdkafka that is linked, for reports. Thread: any. */
#pragma once

/* Returns the version, for example "2.0.2". */
const char *ps_kafka_version(void);
