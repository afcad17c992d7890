#include "stages/lib/kafka/librdkafka/version.h"

#include <librdkafka/rdkafka.h>

const char *ps_kafka_version(void)
{
    return rd_kafka_version_str();
}
