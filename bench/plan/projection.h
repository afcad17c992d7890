/* From a measured figure to machines, partitions and disks. A projection: arithmetic on what was measured,
 * with its assumptions said.
 *
 * Thread: any; pure. */
#pragma once

#include "core/status.h"

#define PS_ASSUMPTIONS_MAX 16U
#define PS_ASSUMPTION_BYTES 256U

struct ps_projection_wish {
    double rate;          /* events/s in all */
    double size_bytes;    /* of an event; 0: as measured */
    double headroom;      /* share of a machine's figure that is kept free, below 1 */
    unsigned spare;       /* machines that may be down at once */
    double retention_s;   /* how long brokers keep records; 0: not asked */
    unsigned replication; /* copies; 0: not asked */
};

struct ps_projection_measured {
    double rate;       /* events/s one machine held: the lower end */
    double size_bytes; /* of the events it was measured with */
    unsigned workers;  /* it ran with */
    double error;      /* of the scaling fit, or half the interval's width */
    bool shared;       /* generator and far end ran on the same machine */
    bool at_least;     /* the figure is a lower limit: the generator or the range ended first */
};

struct ps_projection {
    double machine_rate; /* events/s planned for one machine, head-room taken off */
    unsigned machines;   /* spare ones included */
    unsigned workers;    /* on each, as it was measured; 0: not said */
    unsigned partitions, brokers;
    double disk_bytes_per_broker; /* 0: not asked */
    double error;
    unsigned assumption_count;
    char assumptions[PS_ASSUMPTIONS_MAX][PS_ASSUMPTION_BYTES];
};

/* PS_FAIL: nothing measured to project from, or more than a million machines. */
enum ps_status ps_projection_make(const struct ps_projection_wish *wish,
                                  const struct ps_projection_measured *measured,
                                  struct ps_projection *projection, struct ps_err *err);
