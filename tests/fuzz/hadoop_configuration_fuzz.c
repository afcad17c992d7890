/* Files of Hadoop's configuration. Includes are possible, but not of files that the input makes. */
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/rpc/name_service.h"
#include "stages/lib/hadoop/hdfs/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_err err = {0};
    char advice[PS_HADOOP_ADVICE_BYTES];
    enum ps_log_level severity;
    if (ps_hadoop_configuration_parse(&configuration, "/none/core-site.xml", (const char *)data, size,
                                      &err) != PS_OK) {
        PS_ASSERT(err.length > 0);
        return 0;
    }
    struct ps_name_service service;
    (void)ps_name_service_find(configuration, "ns", &service, &err);
    (void)ps_hadoop_url_advise(configuration, "/logs/a", &severity, advice);
    (void)ps_hadoop_url_advise(configuration, "viewfs://c/logs/a", &severity, advice);
    (void)ps_hadoop_configuration_ms(configuration, "ipc.client.rpc-timeout.ms", 1);
    ps_hadoop_configuration_free(configuration);
    return 0;
}
