/* See host.h. */
#include "conf/validate/host.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>

static void map_ipv4(const struct in_addr *four, struct in6_addr *six)
{
    *six = (struct in6_addr){.s6_addr = {[10] = 0xFF, [11] = 0xFF}};
    memcpy(six->s6_addr + 12, four, sizeof *four);
}

/* Copies the host without brackets to `bare`. Returns false if the text is longer than any address. */
static bool copy_bare(const char *text, size_t length, char bare[INET6_ADDRSTRLEN + 32])
{
    static const char local[] = "localhost", local_address[] = "127.0.0.1";
    if (length == sizeof local - 1 && strncasecmp(text, local, length) == 0) {
        text = local_address;
        length = sizeof local_address - 1;
    } else if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= INET6_ADDRSTRLEN + 32)
        return false;
    memcpy(bare, text, length);
    bare[length] = '\0';
    return true;
}

struct ps_host ps_host_read(const char *text, size_t length)
{
    struct ps_host host = {.form = PS_HOST_NAME, .name = text, .length = length};
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list;
    char bare[INET6_ADDRSTRLEN + 32];
    if (text == NULL) {
        host.form = PS_HOST_EVERY;
        return host;
    }
    if (!copy_bare(text, length, bare) || getaddrinfo(bare, NULL, &hints, &list) != 0)
        return host;
    if (list->ai_family == AF_INET)
        map_ipv4(&((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr, &host.address);
    else
        host.address = ((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
    freeaddrinfo(list);
    struct in6_addr every_four;
    map_ipv4(&(struct in_addr){.s_addr = htonl(INADDR_ANY)}, &every_four);
    bool is_every = IN6_IS_ADDR_UNSPECIFIED(&host.address) || IN6_ARE_ADDR_EQUAL(&host.address, &every_four);
    host.form = is_every ? PS_HOST_EVERY : PS_HOST_ADDRESS;
    return host;
}

bool ps_hosts_equal(const struct ps_host *a, const struct ps_host *b)
{
    if (a->form != b->form)
        return false;
    if (a->form == PS_HOST_NAME)
        return a->length == b->length && strncasecmp(a->name, b->name, a->length) == 0;
    return a->form == PS_HOST_EVERY || IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

bool ps_host_is_loopback(const struct ps_host *host)
{
    const struct in6_addr *address = &host->address;
    return host->form == PS_HOST_ADDRESS &&
           (IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127));
}
