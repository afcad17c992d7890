/* Host names of peers for clientHostnameHeader, like java.net.InetSocketAddress.getHostName(): the resolver's
 * name for the address if that name resolves back to the address, else the address as text.
 *
 * The resolver may take seconds, so a helper thread asks it; answers are cached for five minutes (failures for
 * one). The worker calls all functions, and ends the helper thread without waiting for it. */
#pragma once

#include "core/clock.h"
#include "stages/lib/net/address.h"

struct ps_reverse_names;

/* `wake_fd`: an eventfd, written when an answer came (-1: none). Thread: the worker's, in `open`. */
struct ps_reverse_names *ps_reverse_names_create(int wake_fd, struct ps_err *err);
void ps_reverse_names_destroy(struct ps_reverse_names *names);

/* Returns true with *name, which is valid until the next call. Returns false while the name is being looked up:
 * call again. */
bool ps_reverse_names_find(struct ps_reverse_names *names, const struct ps_address *peer, uint64_t mono_ns,
                           struct ps_slice *name);
/* Takes the answers of the thread. Returns true if there were any. */
bool ps_reverse_names_poll(struct ps_reverse_names *names, uint64_t mono_ns);
