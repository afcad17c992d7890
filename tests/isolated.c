/* Runs a test with a network, mounts and a host name of its own, so that no port is taken by another test, or by a connection of a neighbour:
 *
 *   isolated COMMAND [ARGUMENT]...   becomes the command, in namespaces of its own where the kernel allows it
 *   isolated --check                 prints whether it does, and why not; exit code 0 or 1
 *
 * The network has nothing but loopback, and the host is named localhost: Java asks for the address of the host's name, which in a container is one of
 * the machine's network. root takes these namespaces directly: everything else stays as it is, other users included.
 * An ordinary user takes them in a user namespace that knows only this user, with the same number and no more rights than before. Where the kernel refuses (a
 * container, a system without user namespaces), the command runs in the machine's own network. ctest calls it for each test: tests/tests.cmake says which
 * tests it leaves alone. The tests with real servers share servers, and so one network: ./test.sh starts their ctest with it. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

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
    execvp(argv[1], argv + 1);
    fprintf(stderr, "isolated: cannot run %s: %s\n", argv[1], strerror(errno));
    return 127;
}
