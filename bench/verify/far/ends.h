/* The far ends of ends.c's table, one file each. */
#pragma once

#include "bench/verify/far/end.h"

extern const struct ps_far_end_ops ps_far_kafka; /* kafka.c */
extern const struct ps_far_end_ops ps_far_files; /* files.c */
extern const struct ps_far_end_ops ps_far_tcp;   /* listen/tcp.c */
extern const struct ps_far_end_ops ps_far_udp;   /* listen/udp.c */
extern const struct ps_far_end_ops ps_far_http;  /* listen/http.c */
