#include "stages/lib/net/port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTEN 0x0AU
#define UDP_BOUND 0x07U /* a UDP socket without a peer */

struct socket_facts {
    unsigned long inode;
    unsigned user;
};

/* Finds the socket with this local port and state in proc(5)'s net/tcp or net/udp. A row: "sl: local:port
 * remote:port state queues timer retransmits user timeout inode". Returns false if there is none. */
static bool find_socket(const char *path, unsigned port, unsigned state, struct socket_facts *facts)
{
    FILE *file = fopen(path, "re");
    char line[512];
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        unsigned its_port, its_state;
        found = sscanf(line, " %*[^:]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*s %lu",
                       &its_port, &its_state, &facts->user, &facts->inode) == 4 &&
                its_port == port && its_state == state;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* Returns whether one of the process's descriptors is the socket. */
static bool has_socket(const char *process, const char *link)
{
    char folder[64], path[PATH_MAX], target[64];
    snprintf(folder, sizeof folder, "/proc/%.20s/fd", process);
    DIR *dir = opendir(folder);
    bool found = false;
    struct dirent *entry;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        found = strcmp(target, link) == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

static void read_name(const char *process, char *name, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/comm", process);
    FILE *file = fopen(path, "re");
    snprintf(name, room, "?");
    if (file != NULL && fgets(name, (int)room, file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

pid_t ps_port_owner(unsigned port, bool datagrams, char *text, size_t room)
{
    struct socket_facts facts;
    unsigned state = datagrams ? UDP_BOUND : TCP_LISTEN;
    char link[64], name[64];
    pid_t found = 0;
    if (!find_socket(datagrams ? "/proc/net/udp" : "/proc/net/tcp", port, state, &facts) &&
        !find_socket(datagrams ? "/proc/net/udp6" : "/proc/net/tcp6", port, state, &facts))
        return 0;
    snprintf(link, sizeof link, "socket:[%lu]", facts.inode);
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir != NULL && found == 0 && (entry = readdir(dir)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, link))
            continue;
        found = (pid_t)strtol(entry->d_name, NULL, 10);
        read_name(entry->d_name, name, sizeof name);
        snprintf(text, room, "taken by %s (process %.20s)", name, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    if (found == 0)
        snprintf(text, room,
                 "taken by a process of user %u that this user may not see (sudo ss -lnp shows it)",
                 facts.user);
    return found > 0 ? found : -1;
}
