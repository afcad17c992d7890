/* How many events of a file may be written and not acknowledged. What is on its way when the agent is killed comes twice, so it is no
 * more than keeps the datanodes busy: twice what they acknowledge in the time of the fastest answer. The events that a slow
 * datanode queues would only wait there. */
#include "stages/hdfs_sink/parts.h"

/* With fewer events a flush costs more than they do. */
#define LEAST_EVENTS (PS_HDFS_FLUSHES_MAX * PS_BATCH_EVENTS_MAX)
#define MOST_EVENTS (PS_HDFS_LEASES_MAX * PS_BATCH_EVENTS_MAX)

void ps_hdfs_window_init(struct ps_hdfs_window *window)
{
    *window = (struct ps_hdfs_window){.events = LEAST_EVENTS};
}

void ps_hdfs_window_answered(struct ps_hdfs_window *window, uint64_t took_ns, uint64_t events)
{
    took_ns = took_ns > 0 ? took_ns : 1;
    if (window->least_ns == 0 || took_ns < window->least_ns)
        window->least_ns = took_ns;
    double needed = 2 * (double)events * (double)window->least_ns / (double)took_ns;
    if (needed < window->events) /* there may have been little to write */
        needed = window->events - (window->events - needed) / 8;
    window->events = needed < LEAST_EVENTS  ? LEAST_EVENTS
                     : needed > MOST_EVENTS ? MOST_EVENTS
                                            : (uint32_t)needed;
}
