/* Runs a test with a network, mounts and a host name of its own, so that no port is taken by another test, or by a connection of a neighbour:
 *
 *   isolated COMMAND [ARGUMENT]...   becomes the command, in namespaces of its own where the kernel allows it
 *   isolated --check                 prints whether it does, and why not; exit code 0 or 1
 *
 * The network has nothing but loopback, and the host is named localhost: Java asks for the address of the host's name, which in a container is one of
 * the machine's network. root takes these namespaces directly: everything else stays as it is, other users included.
 * An ordinary user takes them in a user namespace that knows only this user, with the same number and no more rights than before. Where the kernel refuses (a
 * container, a system without user namespaces), the command runs in the machine's own network. ctest calls it for each test: tests/tests.cmake says which
 * tests it leaves alone. The tests with real servers share servers, and so one network: ./test.sh starts their ctest with it.
 *
 * The time since the machine's start is the command's own too, where the kernel allows it: an agent starts seconds after its machine, and
 * tests run on machines that have been up for days. With PENSTOCK_UPTIME_S it is this number of seconds, with 0 the machine's own; without it,
 * half of the commands have one between 1 and 900 s, drawn from PENSTOCK_SEED_BASE, which ./test.sh sets, and the command.
 *
 * With PENSTOCK_HOLD=PROGRAM a command that is no script is run by that program (tests/hold_threads.c). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/fnv.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define UPTIME_MAX_S 900U

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = write(fd, text, strlen(text));
    return close(fd) == 0 && length == (ssize_t)strlen(text);
}

/* Gives this process a user namespace in which only its own user and group exist. */
static const char *take_user(void)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    char users[64], groups[64];
    snprintf(users, sizeof users, "%u %u 1\n", user, user);
    snprintf(groups, sizeof groups, "%u %u 1\n", group, group);
    if (unshare(CLONE_NEWUSER) != 0)
        return "unshare of the user namespace";
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", users) ||
        !write_file("/proc/self/gid_map", groups))
        return "map of the user";
    return NULL;
}

static bool loopback_up(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    if (fd < 0)
        return false;
    bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return up;
}

static bool moved; /* this process is no longer in the machine's network */

/* Moves this process into its namespaces. Returns NULL, or the step that the kernel refused, with errno. */
static const char *isolate(void)
{
    const char *refused = geteuid() == 0 ? NULL : take_user();
    if (refused != NULL)
        return refused;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS) != 0)
        return "unshare of network, mounts and host name";
    moved = true;
    if (sethostname("localhost", strlen("localhost")) != 0)
        return "host name";
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return "private mounts";
    return loopback_up() ? NULL : "loopback";
}

/* ---- the time since the machine's start ---- */

/* Returns the seconds that the command is to see; 0: as they are. */
static unsigned wanted_uptime_s(char *const *arguments)
{
    const char *own = getenv("PENSTOCK_UPTIME_S"), *base = getenv("PENSTOCK_SEED_BASE");
    if (own != NULL)
        return (unsigned)strtoul(own, NULL, 10);
    if (base == NULL)
        return 0;
    uint64_t hash = ps_fnv64(PS_FNV64, base, strlen(base));
    for (; *arguments != NULL; arguments++) {
        const char *slash = strrchr(*arguments, '/'); /* a clone elsewhere draws the same */
        const char *word = slash != NULL ? slash : *arguments;
        hash = ps_fnv64(hash, word, strlen(word));
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return (hash >> 32) % 2 == 0 ? 0 : 1 + (unsigned)((hash >> 33) % UPTIME_MAX_S);
}

/* Prints how far the clock is to be from that of the machine: as far as now, plus what is missing to `uptime_s`. */
static int print_offset(char *text, size_t room, clockid_t clock, const char *name, unsigned uptime_s)
{
    char line[128];
    int64_t offset_s = 0;
    struct timespec now = {0};
    FILE *file = fopen("/proc/self/timens_offsets", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            offset_s = strtoll(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    clock_gettime(clock, &now);
    return snprintf(text, room, "%s %" PRId64 " 0\n", name,
                    offset_s + (int64_t)uptime_s - (int64_t)now.tv_sec);
}

/* Moves this process into a time namespace. A kernel that refuses leaves the clocks as they are. */
static void take_uptime(unsigned uptime_s)
{
    char monotonic[64], since_boot[64], text[128];
    print_offset(monotonic, sizeof monotonic, CLOCK_MONOTONIC, "monotonic", uptime_s);
    print_offset(since_boot, sizeof since_boot, CLOCK_BOOTTIME, "boottime", uptime_s);
    snprintf(text, sizeof text, "%s%s", monotonic, since_boot);
    if (unshare(CLONE_NEWTIME) != 0 || !write_file("/proc/self/timens_offsets", text))
        return;
    int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && setns(fd, CLONE_NEWTIME) == 0)
        fprintf(stderr, "isolated: PENSTOCK_UPTIME_S=%u\n", uptime_s);
    if (fd >= 0)
        close(fd);
}

/* Tries it in a child, since a process that was refused after its first step cannot go back. Returns whether it works; else puts the reason into
 * refused. */
static bool works(char *refused, size_t size)
{
    int ends[2];
    snprintf(refused, size, "no process to try it in");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        const char *step = isolate();
        char text[160];
        int length = snprintf(text, sizeof text, "%s: %s", step != NULL ? step : "", strerror(errno));
        if (step != NULL && write(ends[1], text, (size_t)length) < 0)
            _exit(2);
        _exit(step != NULL);
    }
    close(ends[1]);
    int status = 1;
    if (child > 0) {
        ssize_t length = read(ends[0], refused, size - 1);
        refused[length > 0 ? length : 0] = '\0';
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    return status == 0;
}

int main(int argc, char **argv)
{
    char refused[200];
    if (argc < 2) {
        fprintf(stderr, "usage: isolated COMMAND [ARGUMENT]... | isolated --check\n");
        return 2;
    }
    bool can = works(refused, sizeof refused);
    if (strcmp(argv[1], "--check") == 0) {
        if (can)
            printf("each test has a network and mounts of its own\n");
        else
            printf("the tests share the machine's network: the kernel gives them none of their own (%s)\n",
                   refused);
        return can ? 0 : 1;
    }
    const char *step = can ? isolate() : NULL;
    if (step != NULL)
        snprintf(refused, sizeof refused, "%s: %s", step, strerror(errno));
    if (step != NULL && moved) {
        fprintf(stderr, "isolated: %s\n", refused);
        return 1;
    }
    if (!can || step != NULL)
        fprintf(stderr, "isolated: in the machine's network (%s)\n", refused);
    unsigned uptime_s = wanted_uptime_s(argv + 1);
    if (can && step == NULL && uptime_s > 0)
        take_uptime(uptime_s);
    char *hold = getenv("PENSTOCK_HOLD");
    bool is_held = hold != NULL && hold[0] != '\0' && strcmp(argv[1], "bash") != 0;
    if (is_held)
        argv[0] = hold;
    execvp(argv[!is_held], argv + !is_held);
    fprintf(stderr, "isolated: cannot run %s: %s\n", argv[!is_held], strerror(errno));
    return 127;
}
