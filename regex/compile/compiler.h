/* Compiles a set of expressions for Hyperscan, within limits.
 *
 * Hyperscan's compiler cannot be interrupted, and its time and memory cannot be bounded in advance. If there is a
 * penstock program, it therefore runs as a process of its own, `penstock rules compile`, with the request on its
 * standard input and the answer on its standard output. That process limits its own memory and CPU time, uses the CPU
 * only when it is otherwise idle (SCHED_IDLE), is the first to be killed by the kernel when memory runs out, and ends
 * with the thread that started it. The parent may kill it at any time.
 *
 * Request and answer are also the cache's key and contents (regex/compile/cache/cache.h). */
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

/* Writes only the expressions: texts, flags, states. This is the cache's key and the tail of a request. */
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
/* Parses untrusted bytes. */
enum ps_status ps_compile_request_read(const unsigned char *bytes, size_t length,
                                       struct ps_compile_request *request, struct ps_err *err);
void ps_compile_request_fini(struct ps_compile_request *request);

/* A database and the outcome of each expression, or (`built.outcomes` NULL) an error. */
struct ps_compile_answer {
    struct ps_hyperscan_built built;
    uint32_t failed; /* index of the failing expression, or UINT32_MAX */
    bool
        passing; /* after a failure: the same request may succeed later, because the compiler's process did not start, was
                      * killed, or got no CPU */
    char error[1024];
};

void ps_compile_answer_write(struct ps_bytes *bytes, const struct ps_compile_answer *answer, uint32_t count);
/* Parses untrusted bytes, except for the database itself, which Hyperscan checks. */
enum ps_status ps_compile_answer_read(const unsigned char *bytes, size_t length, uint32_t count,
                                      struct ps_compile_answer *answer, struct ps_err *err);
void ps_compile_answer_fini(struct ps_compile_answer *answer);

struct ps_compile_how {
    /* The program that compiles, in a process of its own. NULL: the caller's thread compiles, without limits, because
     * a thread that lowers itself to SCHED_IDLE may not be allowed to raise itself again. */
    const char *program;
    struct ps_compile_limits limits;
    /* Returns whether to give up. Called with `argument` before the work begins, and then, unless the caller's thread
     * compiles, about twenty times a second. NULL: never give up. */
    bool (*cancelled)(void *argument);
    void *argument;
};
/* Compiles, and returns when that is done. On PS_OK, `answer` has a database, which has no bytes when all expressions
 * were left out. `answer->failed` and `answer->passing` are always set. */
enum ps_status ps_compile_run(const struct ps_hyperscan_expression *expressions, uint32_t count,
                              const struct ps_bytes *key, const struct ps_compile_how *how,
                              struct ps_compile_answer *answer, struct ps_err *err);

/* The child's side: reads a request from `input` and writes the answer to `output`. Sets limits and
 * scheduling of the whole process, which must therefore do nothing else. Returns the exit code. */
int ps_compile_serve(int input, int output);
