/* Limits the events of a file in flight, because the events that are in flight when the agent is killed are delivered twice. The
 * window is just large enough to keep the datanodes busy: twice the events that they acknowledge in the time of the fastest answer.
 * More events would only wait in the queue of a slow datanode. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

/* Lower limit: with fewer events a flush costs more than the events. */
#define LEAST_EVENTS (PS_BUCKET_FLUSHES_MAX * PS_BATCH_EVENTS_MAX)
#define MOST_EVENTS (PS_BUCKET_LEASES_MAX * PS_BATCH_EVENTS_MAX)

void ps_bucket_window_init(struct ps_bucket_window *window)
{
    *window = (struct ps_bucket_window){.events = LEAST_EVENTS};
}

void ps_bucket_window_answered(struct ps_bucket_window *window, uint64_t took_ns, uint64_t events)
{
    took_ns = took_ns > 0 ? took_ns : 1;
    if (window->least_ns == 0 || took_ns < window->least_ns)
        window->least_ns = took_ns;
    double needed = 2 * (double)events * (double)window->least_ns / (double)took_ns;
    if (needed < window->events) /* perhaps there were few events to write */
        needed = window->events - (window->events - needed) / 8;
    window->events = needed < LEAST_EVENTS  ? LEAST_EVENTS
                     : needed > MOST_EVENTS ? MOST_EVENTS
                                            : (uint32_t)needed;
}
