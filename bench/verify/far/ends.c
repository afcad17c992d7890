#include "bench/verify/far/ends.h"

const struct ps_far_end_ops *const ps_far_ends[] = {
    &ps_far_kafka, &ps_far_files, &ps_far_tcp, &ps_far_udp, &ps_far_http, NULL,
};
