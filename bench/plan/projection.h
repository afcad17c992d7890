/* Computes machines, partitions and disks from a measured figure: arithmetic only, with its assumptions
 * listed.
 *
 * Thread: any; no state. */
#pragma once

#include "bench/plan/cost.h"
#include "core/status.h"

#define PS_ASSUMPTIONS_MAX 16U
#define PS_ASSUMPTION_BYTES 256U

struct ps_projection_wish {
    double rate;          /* events/s in total */
    double size_bytes;    /* size of an event; 0: as measured */
    double headroom;      /* share of a machine's rate that is kept free, below 1 */
    unsigned spare;       /* machines that may be down at the same time */
    double retention_s;   /* how long brokers keep records; 0: not given */
    unsigned replication; /* copies; 0: not given */
    struct ps_cost cost;  /* of a machine */
};

struct ps_projection_measured {
    double rate;       /* events/s that one machine held: the lower end of the interval */
    double size_bytes; /* of the events in the measurement */
    unsigned workers;  /* number of workers in the measurement */
    double error;      /* of the scaling fit, or half the interval's width */
    bool shared;       /* generator and far end ran on the same machine */
    /* The figure is a lower limit: the generator or the range was exhausted first. */
    bool at_least;
};

struct ps_projection {
    double machine_rate; /* events/s planned for one machine, without the headroom */
    unsigned machines;   /* spare ones included */
    unsigned workers;    /* per machine, as measured; 0: unknown */
    unsigned partitions, brokers;
    double disk_bytes_per_broker; /* 0: not computed */
    /* Cost of all machines, spare ones included, and of a million events at the rate asked for; 0: not computed. */
    double cost_per_hour, cost_per_month, cost_per_million;
    bool
        at_most; /* `machines`, `partitions` and costs are upper limits: the measured figure is a lower one */
    double error; /* NAN: unknown, because the measured figure is a lower limit */
    unsigned assumption_count;
    char assumptions[PS_ASSUMPTIONS_MAX][PS_ASSUMPTION_BYTES];
};

/* Returns PS_FAIL when no rate was held, or when the wish needs more than a million machines. */
enum ps_status ps_projection_make(const struct ps_projection_wish *wish,
                                  const struct ps_projection_measured *measured,
                                  struct ps_projection *projection, struct ps_err *err);
