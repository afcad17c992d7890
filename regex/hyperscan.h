/* The only interface to Hyperscan: compiles expressions into a database, serializes and deserializes it, and
 * scans. No other file includes <hs.h> (docs/decisions/0014).
 *
 * Always block mode and byte-wise (no UTF8). Every end of a match is reported (no SINGLEMATCH), without its
 * start. `^` and `$` match at line ends (MULTILINE). */
#pragma once

#include "core/status.h"

enum ps_hyperscan_flags {
    PS_HYPERSCAN_PREFILTER = 1 << 0,   /* may report texts that do not match */
    PS_HYPERSCAN_ALLOW_EMPTY = 1 << 1, /* a match may be empty */
    PS_HYPERSCAN_FLAGS_ALL = 3,
};

struct ps_hyperscan_expression {
    const char *text;
    uint32_t flags;
    uint32_t states; /* estimated (struct ps_java_regex) */
};

/* The outcome of an expression when the set was compiled. */
enum ps_hyperscan_outcome {
    PS_HYPERSCAN_AS_ASKED,
    PS_HYPERSCAN_PREFILTERED, /* too large; compiled as a prefilter instead */
    PS_HYPERSCAN_LEFT_OUT,    /* too large even as a prefilter: the expression is not in the database */
};

/* A compiled set as bytes, which can go through a pipe or into a file. */
struct ps_hyperscan_built {
    unsigned char *bytes; /* from hs_serialize_database; NULL when every expression was left out */
    size_t length;
    uint8_t *outcomes; /* one for each expression, in order */
};

/* Compiles the expressions, with no bound on time or memory (regex/compile/compiler.h has the limits). Fails only when
 * memory runs out, or when Hyperscan does not name the failing expression and no remaining expression is large enough
 * to be the cause. `*failed` is then the index of the failing expression, or UINT32_MAX. Thread: any but a worker. */
enum ps_status ps_hyperscan_build(const struct ps_hyperscan_expression *expressions, uint32_t count,
                                  struct ps_hyperscan_built *built, uint32_t *failed, struct ps_err *err);
void ps_hyperscan_built_fini(struct ps_hyperscan_built *built);

/* Writes Hyperscan's version and the CPU features it detected. A database is valid where this text is equal.
 * `room` must be at least 200. */
void ps_hyperscan_platform(char *text, size_t room);

struct ps_hyperscan; /* a database, and the scratch from which threads' scratches are cloned; const, shared */
struct ps_hyperscan_scratch; /* belongs to one thread */

/* Deserializes a database. Hyperscan checks the bytes for version, platform and damage, but they must still
 * come from a trusted place. Returns NULL on failure; *passing is true if memory was short: the same bytes may be usable later. */
struct ps_hyperscan *ps_hyperscan_open(const unsigned char *bytes, size_t length, bool *passing,
                                       struct ps_err *err);
void ps_hyperscan_close(struct ps_hyperscan *hyperscan);
size_t ps_hyperscan_database_bytes(const struct ps_hyperscan *hyperscan);
size_t ps_hyperscan_scratch_bytes(const struct ps_hyperscan *hyperscan);

/* Makes the kernel allocate the pages of this memory now, without changing its contents, so that a worker
 * does not wait for page faults when it first uses new rules. The caller must be the only user of the
 * memory. */
void ps_hyperscan_touch(void *memory, size_t bytes);

struct ps_hyperscan_scratch *ps_hyperscan_scratch_create(const struct ps_hyperscan *hyperscan,
                                                         struct ps_err *err);
void ps_hyperscan_scratch_destroy(struct ps_hyperscan_scratch *scratch);

/* Called for each match, as hs_scan's callback: `to` is the offset after the last byte of the match. Return 0 to
 * continue. Matches come in no order. */
typedef int ps_hyperscan_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                             void *argument);

enum ps_hyperscan_scan { PS_SCAN_DONE, PS_SCAN_STOPPED, PS_SCAN_ERROR };
/* Thread: the owner of the scratch. Does not allocate. */
enum ps_hyperscan_scan ps_hyperscan_scan(const struct ps_hyperscan *hyperscan,
                                         struct ps_hyperscan_scratch *scratch, const char *data,
                                         uint32_t length, ps_hyperscan_hit *hit, void *argument);
