/* The door to Hyperscan: compiling expressions into a database, taking it apart into bytes and back,
 * scanning. Nothing else includes <hs.h> (docs/decisions/0014).
 *
 * Always block mode and byte-wise (no UTF8), every end of a match is reported (no SINGLEMATCH), no starts,
 * and `^` and `$` stand for the ends of lines (MULTILINE). */
#pragma once

#include "core/status.h"

enum ps_hyperscan_flags {
    PS_HYPERSCAN_PREFILTER = 1 << 0,   /* may report more than matches */
    PS_HYPERSCAN_ALLOW_EMPTY = 1 << 1, /* a match may be of no length */
    PS_HYPERSCAN_FLAGS_ALL = 3,
};

struct ps_hyperscan_expression {
    const char *text;
    uint32_t flags, id;
};

/* What became of an expression. */
enum ps_hyperscan_outcome {
    PS_HYPERSCAN_AS_ASKED,
    PS_HYPERSCAN_PREFILTERED, /* it was too much, but went as a prefilter */
    PS_HYPERSCAN_LEFT_OUT,    /* too much even so: it is not in the database */
};

/* A compiled set, as bytes: may go through a pipe or a file. */
struct ps_hyperscan_built {
    unsigned char *bytes; /* hs_serialize_database; NULL when every expression was left out */
    size_t length;
    uint8_t *outcomes; /* of each expression, in their order */
};

/* Takes as long and as much memory as it takes: regex/compile/compiler.h has the limits. Fails only when there is not
 * enough memory, or Hyperscan has no word on which expression is to blame and none is left that could be;
 * `*failed` is then its place or UINT32_MAX. Thread: any but a worker. */
enum ps_status ps_hyperscan_build(const struct ps_hyperscan_expression *expressions, uint32_t count,
                                  struct ps_hyperscan_built *built, uint32_t *failed, struct ps_err *err);
void ps_hyperscan_built_fini(struct ps_hyperscan_built *built);

/* The library's version and what it finds of this CPU: databases are good for equal ones. `room` >= 200. */
void ps_hyperscan_platform(char *text, size_t room);

struct ps_hyperscan;         /* a database and the first scratch of it; const, shared */
struct ps_hyperscan_scratch; /* one thread's */

/* The bytes are checked by Hyperscan for version, platform and damage; they must come from a trusted place
 * all the same. */
struct ps_hyperscan *ps_hyperscan_open(const unsigned char *bytes, size_t length, struct ps_err *err);
void ps_hyperscan_close(struct ps_hyperscan *hyperscan);
size_t ps_hyperscan_database_bytes(const struct ps_hyperscan *hyperscan);
size_t ps_hyperscan_scratch_bytes(const struct ps_hyperscan *hyperscan);

/* Has the kernel give memory its pages now, without changing what is in it: whoever uses it first, a worker
 * that meets new rules, must not wait for that. Nobody else has it yet. */
void ps_hyperscan_touch(void *memory, size_t bytes);

struct ps_hyperscan_scratch *ps_hyperscan_scratch_create(const struct ps_hyperscan *hyperscan,
                                                         struct ps_err *err);
void ps_hyperscan_scratch_destroy(struct ps_hyperscan_scratch *scratch);

/* As hs_scan's: `to` is one past the last byte of a match. 0: go on. Matches come in no order. */
typedef int ps_hyperscan_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                             void *argument);

enum ps_hyperscan_scan { PS_SCAN_DONE, PS_SCAN_STOPPED, PS_SCAN_ERROR };
/* Thread: the scratch's. Allocates nothing. */
enum ps_hyperscan_scan ps_hyperscan_scan(const struct ps_hyperscan *hyperscan,
                                         struct ps_hyperscan_scratch *scratch, const char *data,
                                         uint32_t length, ps_hyperscan_hit *hit, void *argument);
