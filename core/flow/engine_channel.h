/* The functions of penstock's own channels, in addition to those of every channel (struct ps_channel_ops in
 * core/stage.h). They carry leases over a reload, save and count them at a stop, and change the share of memory. A
 * channel that is not part of penstock has none of them.
 *
 * Every function may be NULL. */
#pragma once

#include "core/flow/batch.h"

struct ps_fill;

/* Returns the `argument` of the readback (core/flow/channel.h) that made the lease; of a lease that a source put, another
 * pointer. Thread: the owner of the lease. */
const void *ps_readback_argument(const struct ps_lease *lease);

struct ps_engine_channel_ops {
    /* Its consumers' events have stable identities (core/flow/identity.h): an event that is taken again, even after a
     * restart, has the same identity as before. */
    bool identifies;
    /* For a channel whose events have such identities if its servers give what they need, and which never `identifies`: called
     * between `check` and `build` if a sink reads them. NULL: the channel has no such events. Thread: control. */
    void (*gives_identities)(void *plan);
    /* A lease that one consumer gave back may be taken by any consumer. Then a sink whose far end is down gives back
     * what it holds. */
    bool shares_given_back;
    /* Asks the channel's own thread to end, and returns whether it has ended. It may be waiting for a disk or a database
     * that does not answer: `strip` would wait for it, and control would serve neither signals nor the watchdog. Called
     * until it returns true, after `save` and before `strip`. NULL: the channel has no thread. Thread: control, while no
     * worker runs. */
    bool (*halt)(void *plan);
    /* Takes out every lease of its producers, and returns them, oldest first: to carry them over a reload, or to
     * count them at the end. A lease whose promise is fulfilled, but which was not returned yet, has all its events
     * settled. Undoes `start`. NULL in a channel in memory: each consumer's worker takes the leases out with `take`
     * when its sink closes. Thread: control, while no worker runs. */
    struct ps_lease *(*strip)(void *plan);
    /* For a channel whose events are also outside of the agent (a topic): returns whether the sinks of `next`, a
     * channel of the same type in the plan that follows, take the events that this channel leaves there. Both
     * channels are built. Thread: control. */
    bool (*goes_on)(const void *plan, const void *next);
    /* Called when a reload removes the channel and goes_on is false for every channel of the next plan. Notes this for
     * `teardown`, which then logs how many events stay outside of the agent, and where. Thread: control, while no
     * worker runs, before `strip`. */
    void (*forsake)(void *plan);
    /* Makes the consumer leave its group of consumers outside of the agent, after its sink has given back its leases
     * and while flows that do not change continue; so `strip` need not wait for that later. Called until it returns
     * true, at the latest after a time limit of the channel. NULL: nothing to do. Thread: the consumer's worker. */
    bool (*part)(void *plan, unsigned consumer, const struct ps_now *now);
    /* Puts a list of leases, in order, before everything else. Thread: control, before workers run. */
    void (*restore)(void *plan, struct ps_lease *list);
    /* Called when the channel stays over a reload. Takes out the leases of its producers for which `is_wanted` is true,
     * and returns them, oldest first; the other leases keep their order. NULL: no lease can be taken out. Thread:
     * control, while no worker puts or takes. */
    struct ps_lease *(*withdraw)(void *plan, bool (*is_wanted)(const struct ps_lease *lease));
    /* Called when the agent stops, once, before `halt`. Makes the events at risk durable, as far as it can; `strip` then
     * returns them settled. Thread: control, while no worker runs. */
    void (*save)(void *plan);
    /* Returns the number of events in the channel that would be lost with the process: a stop waits for their
     * delivery. NULL: all events that `fill` counts, or none if the channel promises DURABLE. Thread: any. */
    uint64_t (*at_risk)(const void *plan);
    /* Called when the channel stays as it is over a reload. Sets the channel's share of the memory budget, in bytes.
     * Events beyond the new share stay in the channel. NULL: a reload that changes the share replaces the channel by a
     * new one. Thread: control, while no worker puts. */
    void (*set_quota)(void *plan, uint64_t channel_quota_bytes);
    /* Returns whether the plan has a place on disk. A plan without one ignores events that an earlier plan left on
     * disk. NULL: it always has one. Thread: control. */
    bool (*has_place)(const void *plan);
    /* Writes the fill of one producer's ring: the number of leases in it (size), and their limit (capacity). NULL:
     * the channel has no rings. Thread: any. */
    void (*ring)(const void *plan, unsigned producer, struct ps_fill *fill);
    /* Keeps room for this number of events of the producer, in place of the room kept before: other producers have
     * less room. The kept room grows only while the channel, with it, is less than half full. Returns the
     * number of events for which there is room. A put of a `promised` lease uses this room up, and is never refused
     * for the lease's size. NULL: the channel keeps no room. Thread: the producer's worker; any while none runs. */
    uint64_t (*reserve)(void *plan, unsigned producer, uint64_t events);
};
