/* A name server of the test's own: this program's getaddrinfo replaces the system's for names that end in ".test". Included once
 * in a program. */
#pragma once

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/support.h"

#define ANSWER_ADDRESSES_MAX 4U

/* The addresses that the server answers, in this order; each answer begins one further, as those of real servers do, unless
 * `fixed`. Set by the test's thread while nobody asks. */
static struct {
    const char *addresses[ANSWER_ADDRESSES_MAX];
    unsigned count, answers;
    bool fixed;
} name_server;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    __typeof__(getaddrinfo) *system = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name != NULL ? strlen(name) : 0;
    assert_non_null(system);
    bool is_numeric = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0; /* no server is asked */
    if (is_numeric || length < 5 || strcmp(name + length - 5, ".test") != 0)
        return system(name, service, hints, list);
    struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, **end = list;
    unsigned first = name_server.fixed ? 0 : name_server.answers++;
    *list = NULL;
    for (unsigned i = 0; i < name_server.count; i++) {
        int error = system(name_server.addresses[(first + i) % name_server.count], service, &numeric, end);
        if (error != 0)
            return error;
        end = &(*end)->ai_next;
    }
    return name_server.count > 0 ? 0 : EAI_NONAME;
}
