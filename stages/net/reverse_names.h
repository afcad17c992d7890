/* Host names of peers for clientHostnameHeader, as java.net.InetSocketAddress.getHostName() has them: the
 * name the resolver gives for the address if that name leads back to it, else the address as text.
 *
 * Asking may take seconds, so a helper thread does it; answers are remembered for five minutes (failures for
 * one). All functions are the worker's; the thread is told to go and never waited for. */
#pragma once

#include "core/clock.h"
#include "stages/net/address.h"

struct ps_reverse_names;

/* `wake_fd`: an eventfd written to when an answer came (-1: none). Thread: the worker's, in `open`. */
struct ps_reverse_names *ps_reverse_names_create(int wake_fd, struct ps_err *err);
void ps_reverse_names_destroy(struct ps_reverse_names *names);

/* True: *name is known, until the next call. False: it is being asked for; come again. */
bool ps_reverse_names_find(struct ps_reverse_names *names, const struct ps_address *peer, uint64_t mono_ns,
                           struct ps_slice *name);
/* Takes in what the thread found. True: there was something. */
bool ps_reverse_names_poll(struct ps_reverse_names *names, uint64_t mono_ns);
