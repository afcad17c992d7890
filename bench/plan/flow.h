/* Decides whether the rate of a trial was held: first by the numbers of events that were due, received, and still on
 * their way, for each connection and for all of them together; then by the upper percentiles of latency.
 *
 * The delay of a connection at a time is the number of its events that are due and not received, divided by
 * its rate. It stays level when the subject keeps up and grows when it does not, however the subject shares
 * its capacity between connections and wherever events wait: in the generator, in buffers, in queues. The
 * lowest delay in a window at the beginning is compared with the lowest in a window at the end, because the
 * delay of a subject that works in batches or pauses goes up and down. A window is at least as long as the
 * subject's rhythm; a trial without room for two such windows decides nothing.
 *
 * A pure function of what was recorded: no clock, no input or output.
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_FLOW_ROWS_MAX 64U

/* The observations of one trial. */
struct ps_flow {
    double rate, seconds; /* events/s and length of the schedule */
    unsigned connections; /* of the load: connection k of n sends the events k, k + n, k + 2 n ... */
    /* Rows: one for each connection; above PS_FLOW_ROWS_MAX connections, connection modulo rows; or 1 row, when
     * only the sum is known. */
    unsigned rows;
    unsigned samples;
    const double *at_s;     /* [sample] since the schedule began, ascending */
    const double *received; /* [row * samples + sample] events received until then */
    /* [sample] events due until then, when the rate was not constant; NULL: from the rate. */
    const double *due;
    double lost;          /* events lost on the way, of all connections: they do not wait anywhere */
    double latency_p99_s; /* 0: unknown */
    double stall_s;  /* longest time for which this machine stopped the generator; 0: it did not stop it */
    double rhythm_s; /* longest time between two deliveries, or before the first; 0: they come at once */
    double passes;   /* share of the events that the subject passes on by design (a filter); 0: all */
    bool by_chance;  /* which events pass varies */
    /* [row] share of each row's events that arrived in the end, because a filter may keep one row only; NULL: even */
    const double *row_passes;
    /* With by_chance: the delays of events that arrived, [delay], ascending by time. The numbers of events that passed the
     * filter vary by themselves; how late those came does not. 0: not known */
    unsigned delays;
    const double *delay_at_s, *delay_s;
};

enum ps_flow_verdict {
    PS_FLOW_UNKNOWN, /* too little was recorded */
    PS_FLOW_LEVEL,   /* everything due came in time */
    PS_FLOW_BEHIND,  /* the number of events on their way grew */
    PS_FLOW_STARVED, /* the number of events on their way grew on one connection, but not in total */
    PS_FLOW_SLOW,    /* the upper percentile is a large part of the trial */
    PS_FLOW_UNTOLD,  /* the trial is too short for the subject's rhythm */
};

struct ps_flow_result {
    enum ps_flow_verdict verdict;
    bool decisive;        /* the delay grew so much that a stall of the machine is not the reason */
    unsigned connection;  /* with PS_FLOW_STARVED: the row */
    double on_its_way;    /* events due and not received at the end of the schedule, lost ones not included */
    double growth_s;      /* how much longer the worst row's delay was at the end than at the beginning */
    double growth;        /* the same growth in seconds for each second between the two windows */
    double goodput;       /* events/s received near the end, of all connections; 0: unknown */
    double goodput_worst; /* the rate at which the worst connection would not have fallen behind */
    /* A subject that had saved up a burst: events/s that came steadily in the second half, and how many events came beyond
     * that rate before. 0: it had not. */
    double lasting, burst;
};

/* Returns how much the delay may grow in a trial of this length before it counts: stalls of a machine and the
 * sampling take some tens of milliseconds, whatever the length, and longer on a busy machine. */
double ps_flow_allowed_s(double seconds, double stall_s);

/* Returns the length of a trial that has room for the windows of this rhythm, unless its first delivery comes late. */
double ps_flow_least_s(double rhythm_s);

void ps_flow_judge(const struct ps_flow *flow, struct ps_flow_result *result);
