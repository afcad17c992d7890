/* systemd's notification protocol (sd_notify(3)), without its library: a datagram to the socket that
 * $NOTIFY_SOCKET names. Without that variable every call does nothing. Thread: control; never blocks. */
#pragma once

#include "core/base.h"

/* Sends lines like "READY=1\nSTATUS=serving", printf rules, at most 1,000 bytes. Returns false when not
 * under systemd, or when it was not sent. */
bool ps_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Serving; reloading; stopping. `status` is what `systemctl status` shows. */
bool ps_notify_ready(const char *status);
bool ps_notify_reloading(void);
bool ps_notify_stopping(const char *status);

/* How often ps_notify_watchdog must be called, in milliseconds: half of systemd's limit; 0: no watchdog.
 * Call ps_notify_watchdog only while every worker makes progress: then a stuck worker gets the service
 * restarted. */
uint64_t ps_notify_watchdog_ms(void);
bool ps_notify_watchdog(void);
