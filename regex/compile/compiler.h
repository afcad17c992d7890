/* Compiling a set of expressions for Hyperscan, within limits.
 *
 * Hyperscan's compiler cannot be interrupted, and no bound on its time and memory can be told beforehand. So
 * where there is a penstock program it runs as a process of its own, `penstock rules compile`: the request on
 * its standard input, the answer on its standard output. It limits its own memory and CPU time, asks for the
 * CPU only when nobody else wants it (SCHED_IDLE), is the first the kernel ends when memory runs out, and
 * ends with the thread that started it. Whoever started it may end it at any time.
 *
 * Request and answer are also what the cache is keyed by and keeps (regex/compile/cache.h). */
#pragma once

#include "regex/bytes.h"
#include "regex/hyperscan.h"

struct ps_compile_limits {
    uint64_t memory_bytes; /* 0: none */
    uint64_t time_ms;      /* CPU time; 0: none */
    bool idle;
};

#define PS_COMPILE_EXPRESSIONS_MAX 1000000U
#define PS_COMPILE_REQUEST_BYTES_MAX (UINT64_C(1) << 30)
#define PS_COMPILE_ANSWER_BYTES_MAX (UINT64_C(4) << 30)

/* The expressions alone: texts, flags, ids. The key of the cache, and the tail of a request. */
void ps_compile_key_write(struct ps_bytes *key, const struct ps_hyperscan_expression *expressions,
                          uint32_t count);

struct ps_compile_request {
    struct ps_compile_limits limits;
    struct ps_hyperscan_expression *expressions; /* texts point into `texts` */
    uint32_t count;
    char *texts;
};

void ps_compile_request_write(struct ps_bytes *request, const struct ps_compile_limits *limits,
                              const struct ps_bytes *key);
/* Of bytes from anywhere. */
enum ps_status ps_compile_request_read(const unsigned char *bytes, size_t length,
                                       struct ps_compile_request *request, struct ps_err *err);
void ps_compile_request_fini(struct ps_compile_request *request);

/* A database and what became of each expression, or (`built.outcomes` NULL) an error. */
struct ps_compile_answer {
    struct ps_hyperscan_built built;
    uint32_t failed; /* place of the expression to blame, or UINT32_MAX */
    char error[1024];
};

void ps_compile_answer_write(struct ps_bytes *bytes, const struct ps_compile_answer *answer, uint32_t count);
/* Of bytes from anywhere, but for the database itself, which Hyperscan looks at. */
enum ps_status ps_compile_answer_read(const unsigned char *bytes, size_t length, uint32_t count,
                                      struct ps_compile_answer *answer, struct ps_err *err);
void ps_compile_answer_fini(struct ps_compile_answer *answer);

/* Compiles; blocks for as long as it takes. `program` NULL: in this thread, as it
 * is, without limits (a thread that goes to SCHED_IDLE may not come back). PS_OK:
 * `answer` has a database (without bytes when all expressions were left out). `failed` of the answer is set
 * in any case. `cancelled` may be NULL; it is asked about twenty times a second (not in this thread). */
struct ps_compile_how {
    const char *program;
    struct ps_compile_limits limits;
    bool (*cancelled)(void *argument);
    void *argument;
};
enum ps_status ps_compile_run(const struct ps_hyperscan_expression *expressions, uint32_t count,
                              const struct ps_bytes *key, const struct ps_compile_how *how,
                              struct ps_compile_answer *answer, struct ps_err *err);

/* The other side: reads a request from `input`, answers on `output`. Sets limits and scheduling of the whole
 * process, so it must be one that does nothing else. Returns its exit code. */
int ps_compile_serve(int input, int output);
