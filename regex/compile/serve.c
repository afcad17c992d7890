/* The compiler's process (`penstock rules compile`): one thread, one request, one answer. */
#include "regex/compile/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* A sanitizer maps terabytes of address space, so the memory limit cannot be set. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static enum ps_status read_all(int input, struct ps_bytes *bytes)
{
    static unsigned char room[65536];
    for (;;) {
        ssize_t n = read(input, room, sizeof room);
        if (n == 0)
            return PS_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || bytes->length + (size_t)n > PS_COMPILE_REQUEST_BYTES_MAX)
            return PS_FAIL;
        ps_bytes_put(bytes, room, (size_t)n);
    }
}

/* Returns what the program has already mapped, which does not count against the compiler's limit. */
static uint64_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(uint64_t memory_bytes)
{
    struct rlimit limit;
    if (memory_bytes == 0 || SANITIZED || getrlimit(RLIMIT_AS, &limit) != 0)
        return;
    uint64_t bytes = memory_bytes + mapped_bytes();
    if (limit.rlim_max == RLIM_INFINITY || bytes < limit.rlim_max)
        limit.rlim_cur = limit.rlim_max = bytes;
    (void)setrlimit(RLIMIT_AS, &limit);
}

/* SIGPROF ends the process with millisecond precision; the limit in whole seconds is the fallback. */
static void limit_time(uint64_t time_ms)
{
    if (time_ms == 0 || time_ms > UINT64_C(1000000000))
        return;
    struct rlimit limit = {.rlim_cur = (rlim_t)(time_ms / 1000 + 2),
                           .rlim_max = (rlim_t)(time_ms / 1000 + 3)};
    (void)setrlimit(RLIMIT_CPU, &limit);
    struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)(time_ms / 1000), .tv_usec = (suseconds_t)(time_ms % 1000 * 1000)}};
    (void)setitimer(ITIMER_PROF, &timer, NULL);
}

static void set_idle_priority(void)
{
    struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_IDLE, &none);
}

static void prefer_for_oom_kill(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1000", 4) != 4)
        fprintf(stderr, "penstock: the compiler cannot change its oom_score_adj\n");
    close(fd);
}

static void isolate(void)
{
    struct rlimit none = {0, 0};
    pid_t parent = getppid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(3); /* the parent ended before PR_SET_PDEATHSIG was in effect */
    (void)prctl(PR_SET_NAME, "rules-compiler");
    (void)close_range(3, ~0U, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    prefer_for_oom_kill();
}

int ps_compile_serve(int input, int output)
{
    struct ps_bytes bytes = {0};
    struct ps_compile_request request;
    struct ps_err err;
    isolate();
    if (read_all(input, &bytes) != PS_OK ||
        ps_compile_request_read(bytes.data, bytes.length, &request, &err) != PS_OK) {
        fprintf(stderr,
                "penstock: rules compile is internal: it reads a request that only penstock writes\n");
        ps_bytes_fini(&bytes);
        return 2;
    }
    ps_bytes_fini(&bytes);
    if (request.limits.idle)
        set_idle_priority();
    limit_memory(request.limits.memory_bytes);
    limit_time(request.limits.time_ms);
    struct ps_compile_answer answer = {.failed = UINT32_MAX};
    if (ps_hyperscan_build(request.expressions, request.count, &answer.built, &answer.failed, &err) != PS_OK)
        snprintf(answer.error, sizeof answer.error, "%.1000s", err.text);
    ps_compile_answer_write(&bytes, &answer, request.count);
    bool written = ps_bytes_write(output, &bytes);
    ps_bytes_fini(&bytes);
    ps_compile_answer_fini(&answer);
    ps_compile_request_fini(&request);
    return written ? 0 : 1;
}
