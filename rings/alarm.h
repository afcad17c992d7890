/* Alarm: with it a thread that has work for a worker wakes the worker from its sleep on an eventfd, without a system
 * call for each item, and without a lost wake-up.
 *
 *   sleeper   ps_alarm_set, check for work, go to sleep
 *   waker     publish, ps_alarm_ring
 *
 * Each side has a full fence after its first step. The alarm rings once for each time it was set. Unlike rings/park.h
 * the eventfd belongs to somebody else, and one sleeper may have many alarms. */
#pragma once

#include "rings/base.h"

struct ps_alarm {
    uint32_t is_set;
    int fd;
};

/* The state before anybody sets it. */
#define PS_ALARM_INIT ((struct ps_alarm){.fd = -1})

/* Sets the alarm: the next ps_alarm_ring writes to this eventfd; -1: there is no eventfd, as in the simulator. Thread:
 * the sleeper. */
void ps_alarm_set(struct ps_alarm *alarm, int event_fd);

/* Rings the alarm if it is set, and unsets it. Returns whether it was set. Thread: the waker; one at a time. */
bool ps_alarm_ring(struct ps_alarm *alarm);
