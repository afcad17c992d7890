/* The table of targets. */
#include "bench/load/targets.h"

const struct ps_target_ops *const ps_targets[] = {
    &ps_target_tcp,
    &ps_target_tls,
    &ps_target_netcat,
    &ps_target_udp,
    &ps_target_http,
    &ps_target_https,
    &ps_target_avro,
    &ps_target_kafka,
    &ps_target_file,
    &ps_target_stdout,
    NULL,
};
