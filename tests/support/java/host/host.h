/* Declarations that the files of the Java host without Java share. See host.c. Names begin with fake_. One thread. */
#pragma once

#include "stages/lib/java/component.h"
#include "stages/lib/java/exchange/events.h"
#include "tests/support/java/entries.h"
#include "tests/support/java_host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A batch of a sink or an interceptor. */
struct fake_batch {
    bool waits; /* for a larger area */
    uint32_t link;
    uint64_t number, due_ns;
    uint32_t count, bytes;
    uint64_t offset, size;             /* of its area */
    uint64_t reply_offset, reply_size; /* interceptor */
};

/* ---- host.c ---- */

extern struct ps_test_java_control *fake_control;
extern int fake_arrived; /* descriptor: bodies, and what was refused */

void fake_send(uint32_t type, uint32_t link, const uint64_t *numbers, uint32_t count, const char *text);
char *fake_map(uint64_t offset, uint64_t size);
/* Handles a batch that the mode leaves without an answer. It may end the process. */
void fake_misbehave(struct fake_batch *batch);

/* ---- interceptor.c ---- */

/* Returns whether the batch waits for a larger area. */
bool fake_answer(struct fake_batch *batch);
/* Gives an invalid answer: BEYOND as `lie` says, the other modes for a batch that does not exist. */
void fake_answer_badly(struct fake_batch *batch);

/* ---- source.c ---- */

/* Starts a source for this link. Does nothing if there is no room. */
void fake_source_begin(uint32_t link);
/* Forgets the source of this link, if there is one. */
void fake_source_end(uint32_t link);
/* Puts events of all sources. */
void fake_sources_serve(void);
/* Takes an area, an answer, or the question how many events are promised. Returns false if the message belongs to no source. */
bool fake_source_take(const struct ps_java_message *message);
