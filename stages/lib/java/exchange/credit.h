/* The number of events that a source in the Java host may promise. A call of its class with promised events
 * returns at once, because the channels keep room for these events, which are in the shared memory. The counts
 * begin when the source is opened, and only grow. The reasons are in docs/decisions/0092. Thread: the source's
 * worker. */
#pragma once

#include "core/clock.h"

struct ps_java_credit {
    uint64_t most;  /* number of events that the host may have promised so far */
    uint64_t used;  /* number of events that the host has handed over so far */
    uint64_t put;   /* number of handed over events that are in the channels */
    uint64_t calls; /* number of calls without a pause between them; the first few wait for their answers */
    uint64_t last_ns;
    uint64_t event_bytes; /* average size of the events that came last */
    bool returns;         /* the host was told to stop promising, and has not answered yet */
};

/* Notes calls of the class. */
void ps_java_credit_calls(struct ps_java_credit *credit, uint64_t calls, const struct ps_now *now);

/* Returns the number of events for which the channels should keep room. */
uint64_t ps_java_credit_wanted(const struct ps_java_credit *credit);
/* Notes that the channels keep room for this number of events, by which `most` may grow. */
void ps_java_credit_given(struct ps_java_credit *credit, uint64_t events);

/* Called when the host hands over events from number `first` on. Returns false if the host breaks the rules:
 * these are not the next events, or there are too many. */
bool ps_java_credit_use(struct ps_java_credit *credit, uint64_t first, uint64_t events);

/* Reads what the host has noted in the last bytes of a slot, which ends at `end` (struct ps_java_promised in
 * message.h). Returns whether these are the next events that the host had to hand over. The host may be writing
 * at the same time. */
bool ps_java_credit_left(const struct ps_java_credit *credit, const char *end, uint32_t *bytes,
                         uint32_t *events);

/* Returns whether the class pauses, so that the host should be asked to give the room back. Lowers `*due_ns` to
 * the time of the next check. */
bool ps_java_credit_is_idle(const struct ps_java_credit *credit, const struct ps_now *now, uint64_t *due_ns);
/* Notes that the host was asked to give the room back. */
void ps_java_credit_ask(struct ps_java_credit *credit);
/* Handles the host's answer, the number of events that it has promised. Returns false if the host has handed
 * over another number of events. */
bool ps_java_credit_return(struct ps_java_credit *credit, uint64_t used);
