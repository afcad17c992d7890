/* All targets: each has one file bench/load/target/<scheme>.c, one line here and one in targets.c. */
#pragma once

#include "bench/load/target/target.h"

extern const struct ps_target_ops ps_target_tcp;
extern const struct ps_target_ops ps_target_tls;
extern const struct ps_target_ops ps_target_netcat;
extern const struct ps_target_ops ps_target_udp;
extern const struct ps_target_ops ps_target_http;
extern const struct ps_target_ops ps_target_https;
extern const struct ps_target_ops ps_target_avro;
extern const struct ps_target_ops ps_target_kafka;
extern const struct ps_target_ops ps_target_file;
extern const struct ps_target_ops ps_target_stdout;
