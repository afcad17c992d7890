/* The stamp that `penstock load` puts into every event and `penstock verify` looks for: the sender, the
 * event's number, its due time, and a checksum. It is text of 38 characters that need no escape in JSON,
 * syslog, URLs or XML, so verify finds it wherever the pipeline puts the event.
 *
 *   ~1 RRRR SSS NNNNNNN DDDDDDDDD LLL HHHH CCCCCC      (without the blanks)
 *
 *   R  run
 *   S  source
 *   N  sequence number
 *   D  due time, microseconds since the epoch
 *   L  twice the number of covered bytes after the stamp, plus 1 on the last event of its source
 *   H  low 24 bits of the CRC32C of everything before it
 *   C  CRC32C of everything before it and of the covered bytes after the stamp (RFC 3720's polynomial;
 *      the 4 spare bits are 0)
 *
 * All fields are base64url digits, most significant first. There are two checks because a pipeline may cut an event:
 * H alone shows that the numbers of the stamp are valid.
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_STAMP_BYTES 38U
#define PS_STAMP_RUN_MAX 0xffffffU
#define PS_STAMP_SOURCE_MAX 0x3ffffU
#define PS_STAMP_SEQUENCE_MAX ((UINT64_C(1) << 42) - 1)
#define PS_STAMP_COVERED_MAX 0x1ffffU /* bytes */

struct ps_stamp {
    uint32_t run, source;
    uint64_t sequence; /* number of the event of this source, from 0 */
    uint64_t due_us;   /* wall clock */
    uint32_t covered;  /* bytes after the stamp that the checksum covers */
    bool last;         /* this source sends no more events */
};

/* Writes the stamp to `to`; the covered bytes must already be at to + PS_STAMP_BYTES. */
void ps_stamp_write(const struct ps_stamp *stamp, char *to);

enum ps_stamp_state {
    PS_STAMP_NONE, /* no stamp here */
    PS_STAMP_GOOD, /* stamp and covered bytes are unchanged */
    /* The stamp is good; the covered bytes end early, and the bytes that are present cannot be checked. */
    PS_STAMP_CUT,
    PS_STAMP_CHANGED, /* the stamp is good; the covered bytes were changed */
    /* The text begins like a stamp, but H does not match or the record ends within it: the numbers have no
     * meaning. */
    PS_STAMP_BROKEN,
};

/* Finds the first stamp in a record; a good stamp anywhere is preferred to a broken one before it. Covered bytes
 * that were escaped on the way (JSON: \" \\ \/ \n \uXXXX) are unescaped before they count as changed. `*at` (may
 * be NULL) is the stamp's offset. Costs a memchr for '~' and the checksum. */
enum ps_stamp_state ps_stamp_find(const char *data, size_t length, struct ps_stamp *stamp, size_t *at);
