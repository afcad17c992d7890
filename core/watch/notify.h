/* systemd's notification protocol (sd_notify(3)), without its library: a datagram to the socket that
 * $NOTIFY_SOCKET names. Without that variable every call does nothing. Thread: control; never blocks. */
#pragma once

#include "core/base.h"

/* Makes the socket for all messages. Called when the agent starts: later there may be no descriptor left, and systemd
 * would end a service whose READY or WATCHDOG it does not receive. Without this call the first message makes the socket.
 * Returns false when the agent does not run under systemd, or when no descriptor is left. */
bool ps_notify_open(void);

/* Sends lines like "READY=1\nSTATUS=serving", printf rules, at most 1,000 bytes. Returns false when the agent does not
 * run under systemd, or when the message was not sent. */
bool ps_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report that the agent serves, reloads, or stops. `systemctl status` shows `status`. */
bool ps_notify_ready(const char *status);
bool ps_notify_reloading(void);
bool ps_notify_stopping(const char *status);

/* Returns how often ps_notify_watchdog must be called, in milliseconds: half of systemd's limit; 0: no watchdog.
 * Call ps_notify_watchdog only while every worker makes progress: then systemd restarts the service when a worker is
 * stuck. */
uint64_t ps_notify_watchdog_ms(void);
bool ps_notify_watchdog(void);
