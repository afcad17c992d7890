/* The random numbers of the files of a spooling directory. With the number of an event in its file, a file's
 * number is the identity of the event (core/flow/identity.h). They are in a file of the tracker directory,
 * .flumespool-numbers: a JSON array of the files that are opened and not retired, each with device, inode, size
 * and ctime (a file that was changed counts as another file), and with a fingerprint of the settings that
 * decide what an event is (with other settings an event may have other bytes).
 *
 * A fetch writes the file once for all files that it opens, before it hands them out: no event is delivered
 * whose number a kill would make unknown. Thread: the source's. */
#pragma once

#include "stages/lib/spool/spool.h"

#define PS_SPOOL_NUMBERS_NAME ".flumespool-numbers"

struct ps_spool_number {
    uint64_t device, inode;
    struct ps_spool_state state; /* size and ctime of the file when it was opened */
    uint64_t settings, number;
};

struct ps_spool_numbers {
    struct ps_spool_number *items;
    size_t count, room;
    bool known; /* the file was read */
};

/* Reads the numbers of the previous process once, before the first file is opened. Returns false with the reason
 * (PS_SPOOL_REASON_BYTES) if they are there and the system does not let them be read now: then no file is read, because its
 * events would get other identities. */
bool ps_spool_numbers_load(struct ps_spool *spool, char *reason);

/* Sets the numbers of the files that the fetch has opened. They stay 0 while the file cannot be written: the events have no identities
 * then. */
void ps_spool_numbers_give(struct ps_spool *spool, const struct ps_spool_fetch *fetch);

/* The file is retired, or will be read as another one. The next save drops its number on the disk. */
void ps_spool_numbers_forget(struct ps_spool *spool, const struct ps_spool_file *file);

/* Read and print the text of the file. Parsing stops at the first mistake: files without a number get one. */
void ps_spool_numbers_parse(struct ps_spool_numbers *numbers, const char *text, size_t length);
void ps_spool_numbers_print(const struct ps_spool_numbers *numbers, FILE *out);
void ps_spool_numbers_free(struct ps_spool_numbers *numbers);
