#include "stages/lib/net/reverse_names.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "core/fnv.h"
#include "stages/lib/net/resolver.h"

#define ENTRIES 1024U
#define PROBES 8U
#define QUEUE 256U
#define KNOWN_NS (300 * PS_NS_PER_S)
#define FAILED_NS (60 * PS_NS_PER_S)
#define ASK_AGAIN_NS (10 * PS_NS_PER_S) /* when a queue had no room for the question or its answer */

struct entry {
    uint8_t key[20]; /* address (an IPv4 address as a mapped one) and scope */
    uint64_t until_ns;
    uint32_t length;
    bool used, known;
    char name[PS_HOST_NAME_BYTES];
};

struct ps_reverse_names {
    struct ps_resolver *resolver;
    struct entry entries[ENTRIES];
};

static void key_of(const struct ps_address *peer, uint8_t key[20])
{
    memset(key, 0, 20);
    if (peer->storage.ss_family == AF_INET) {
        key[10] = key[11] = 0xFF;
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)&peer->storage)->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&peer->storage;
        memcpy(key, &six->sin6_addr, 16);
        memcpy(key + 16, &six->sin6_scope_id, 4);
    }
}

/* Converts an IPv4-mapped address to IPv4: the name server is asked for the IPv4 address. */
static struct ps_address unmapped(const struct ps_address *peer)
{
    uint8_t key[20];
    key_of(peer, key);
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct ps_address address = *peer;
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(key, mapped, sizeof mapped) == 0) {
        memcpy(&four.sin_addr, key + 12, 4);
        memset(&address.storage, 0, sizeof address.storage);
        memcpy(&address.storage, &four, sizeof four);
        address.length = sizeof four;
    }
    return address;
}

struct ps_reverse_names *ps_reverse_names_create(int wake_fd, struct ps_err *err)
{
    struct ps_reverse_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    names->resolver = ps_resolver_create(QUEUE, wake_fd, err);
    if (names->resolver == NULL) {
        free(names);
        return NULL;
    }
    return names;
}

void ps_reverse_names_destroy(struct ps_reverse_names *names)
{
    if (names == NULL)
        return;
    ps_resolver_destroy(names->resolver);
    free(names);
}

/* Returns the address's entry; else makes one, in a free slot, or in the slot of the entry that expires first. */
static struct entry *entry_of(struct ps_reverse_names *names, const uint8_t key[20])
{
    uint32_t hash = ps_fnv32(PS_FNV32, key, 20);
    struct entry *best = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct entry *entry = &names->entries[(hash + i) % ENTRIES];
        if (entry->used && memcmp(entry->key, key, 20) == 0)
            return entry;
        if (best == NULL || (best->used && (!entry->used || entry->until_ns < best->until_ns)))
            best = entry;
    }
    *best = (struct entry){.used = true};
    memcpy(best->key, key, 20);
    return best;
}

bool ps_reverse_names_find(struct ps_reverse_names *names, const struct ps_address *peer, uint64_t mono_ns,
                           struct ps_slice *name)
{
    uint8_t key[20];
    key_of(peer, key);
    struct entry *entry = entry_of(names, key);
    if (entry->until_ns <= mono_ns) { /* new, expired, or a question without answer */
        const struct ps_question question = {.address = unmapped(peer)};
        if (ps_resolver_ask(names->resolver, &question))
            entry->until_ns = mono_ns + ASK_AGAIN_NS;
    }
    *name = (struct ps_slice){entry->name, entry->length};
    return entry->known; /* an expired answer is used until the new one is there */
}

bool ps_reverse_names_poll(struct ps_reverse_names *names, uint64_t mono_ns)
{
    struct ps_question answer;
    uint8_t key[20];
    bool any = false;
    for (; ps_resolver_answer(names->resolver, &answer); any = true) {
        char text[PS_ADDRESS_TEXT_BYTES];
        if (answer.error != 0)
            ps_address_ip(&answer.address, text);
        const char *name = answer.error == 0 ? answer.name : text;
        key_of(&answer.address, key);
        struct entry *entry = entry_of(names, key);
        entry->length = (uint32_t)strlen(name);
        memcpy(entry->name, name, entry->length);
        entry->known = true;
        entry->until_ns = mono_ns + (answer.error == 0 ? KNOWN_NS : FAILED_NS);
    }
    return any;
}
