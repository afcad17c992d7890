/* The far ends of far_ends.c's table, one file each. */
#pragma once

#include "bench/verify/far_end.h"

extern const struct ps_far_end_ops ps_far_kafka; /* far_kafka.c */
extern const struct ps_far_end_ops ps_far_files; /* far_files.c */
extern const struct ps_far_end_ops ps_far_tcp;   /* far_listen_tcp.c */
extern const struct ps_far_end_ops ps_far_udp;   /* far_listen_udp.c */
extern const struct ps_far_end_ops ps_far_http;  /* far_listen_http.c */
