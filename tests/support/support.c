#include "tests/support/support.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Both are set before a test can use up the descriptors: sysconf also opens a file. */
static int uptime_fd;
static long cpus;

__attribute__((constructor)) static void open_uptime(void)
{
    uptime_fd = open("/proc/uptime", O_RDONLY | O_CLOEXEC);
    cpus = sysconf(_SC_NPROCESSORS_ONLN);
}

/* Returns the mean time since the start in which a CPU had nothing to do, without waits for the disk; the real time
 * if /proc does not have it. Allocates nothing, because tests count allocations. */
static uint64_t idle_ns(void)
{
    char text[64] = "";
    /* This does not use the C library, whose calls tests make fail. */
    long length = uptime_fd >= 0 ? syscall(SYS_pread64, uptime_fd, text, sizeof text - 1, 0L) : -1;
    const char *idle = strchr(text, ' ');
    if (length <= 0 || idle == NULL || cpus <= 0)
        return real_ns();
    return (uint64_t)(strtod(idle, NULL) * 1e9) / (unsigned long)cpus;
}

uint64_t ps_test_patient_ns(void)
{
    static _Thread_local uint64_t read_ns, patient_ns;
    uint64_t now_ns = real_ns();
    if (patient_ns == 0 || now_ns - read_ns >= 50000000U) { /* loops that wait ask in every turn */
        read_ns = now_ns;
        patient_ns = idle_ns() / 8 * 7 + now_ns / 8;
    }
    return patient_ns;
}

uint64_t ps_test_patience_end_ns(void)
{
    return ps_test_patient_ns() + PS_TEST_PATIENCE_MS * (uint64_t)1000000U;
}

uint64_t ps_test_wait_ns(unsigned patience_ms)
{
    return patience_ms >= 10000 ? ps_test_patient_ns() : real_ns();
}

#define LONG_YIELD_NS 300000U
#define SLEEPS 256U /* until sched_yield is tried again */
#define SLEEP_NS 20000

void *ps_test_exact_copy(const void *bytes, size_t length)
{
    void *copy = malloc(length);
    assert_non_null(copy);
    return length > 0 ? memcpy(copy, bytes, length) : copy;
}

void ps_test_yield(void)
{
    static _Thread_local unsigned sleeps;
    if (sleeps > 0) {
        sleeps--;
        nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
        return;
    }
    uint64_t began_ns = real_ns();
    sched_yield();
    if (real_ns() - began_ns > LONG_YIELD_NS)
        sleeps = SLEEPS;
}

uint64_t ps_test_seed(void)
{
    const char *text = getenv("PENSTOCK_SEED"), *base = getenv("PENSTOCK_SEED_BASE");
    uint64_t seed;
    if (text != NULL)
        seed = strtoull(text, NULL, 0);
    else
        seed = (base != NULL ? strtoull(base, NULL, 0) : (uint64_t)time(NULL)) * UINT64_C(2654435761);
    if (seed == 0)
        seed = 1;
    printf("seed: PENSTOCK_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

uint64_t ps_test_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}
