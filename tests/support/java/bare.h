/* A Java host without a process and without its thread, for fuzz targets: the stage is the product's, and what the host sends, writes to the shared
 * memory and leaves unread is what the caller says. One host, which is held until the program ends. One thread. */
#pragma once

#include "stages/lib/java/exchange/message.h"

/* A run of the host begins: stages can attach. No run is under way. */
void java_bare_begin(void);
/* The run ends: the links are lost. The next one may begin. */
void java_bare_end(void);
bool java_bare_runs(void);

/* The host sends a message to the stage that is attached. Returns false if none is. */
bool java_bare_send(uint32_t type, const uint64_t *numbers, uint32_t count, const char *text);
/* Returns why the host is being ended, or NULL: it has not lied so far. */
const char *java_bare_accusation(void);

/* From here on the pipe to the host is full, or has room. */
void java_bare_block(bool is_full);
/* Takes the next message that the agent has sent. Returns false when there is none. */
bool java_bare_take(struct ps_java_message *message);

/* Writes to the shared memory. */
void java_bare_write(uint64_t offset, const void *bytes, size_t length);
/* Reads from it. */
void java_bare_read(uint64_t offset, void *bytes, size_t length);

/* ---- what the fuzzer says ---- */

struct java_said {
    const uint8_t *at, *end;
    uint64_t known[16]; /* numbers that mean something at present; the target sets them */
};

/* Returns the next byte; 0 behind the last one. */
unsigned java_said_byte(struct java_said *said);
/* Returns a number: a small one, a known one, one beside a known one, or a limit of the protocol. */
uint64_t java_said_number(struct java_said *said);
/* Makes the host send a message of a type, with up to 7 numbers. Returns the message, or NULL: no stage is attached. */
const struct ps_java_message *java_said_message(struct java_said *said, uint32_t type);
/* Writes up to 64 of the next bytes to the shared memory, behind `offset` within an area of this size. */
void java_said_bytes(struct java_said *said, uint64_t offset, uint64_t size);
