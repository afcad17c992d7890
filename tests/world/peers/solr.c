#include "tests/world/peers/solr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/shared.h"

#define TEXT_BYTES ((size_t)64 << 10)
#define ID "\"id\":\""
#define VERSION "\"_version_\":"

struct solr_store *solr_store_make(void)
{
    return world_allocate(sizeof(struct solr_store));
}

/* Returns the end of the object that begins here. */
static const char *end_of(const char *at, const char *end)
{
    unsigned depth = 0;
    bool quoted = false;
    for (; at < end; at++) {
        if (quoted) {
            at += *at == '\\';
            quoted = *at != '"';
            continue;
        }
        quoted = *at == '"';
        depth += *at == '{';
        depth -= *at == '}';
        if (depth == 0)
            return at + 1;
    }
    world_fatal("a document of an update has no end");
}

static uint64_t key_of(const char *id, size_t length)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        key = (key ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
    return key;
}

static bool is_there(const struct solr_store *store, uint64_t key)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (store->keys[i] == key)
            return true;
    return false;
}

/* Returns the version that the document asks for: 0 any, negative none, 1 that of the one which is there. */
static long version_of(const char *document, size_t length)
{
    const char *version = memmem(document, length, VERSION, sizeof VERSION - 1);
    return version != NULL ? strtol(version + sizeof VERSION - 1, NULL, 10) : 0;
}

/* Returns the text without the id and the version that the sink puts before it. */
static const char *members_of(const char *document)
{
    const char *at = document + 1;
    if (strncmp(at, ID, sizeof ID - 1) == 0)
        at += sizeof ID - 1 + strcspn(at + sizeof ID - 1, "\"") + 1;
    at += at > document + 1 && *at == ',';
    if (strncmp(at, VERSION "-1", sizeof VERSION + 1) == 0)
        at += sizeof VERSION + 1 + (at[sizeof VERSION + 1] == ',');
    return at;
}

/* Stores the document. Returns the status: 409 if it must not be there, and is, or asks for another version. */
static int store_one(struct solr_store *store, const char *document, size_t length)
{
    static char text[TEXT_BYTES];
    const char *id = memmem(document, length, ID, sizeof ID - 1), *at = members_of(document);
    long version = version_of(document, length);
    if (id != NULL) {
        id += sizeof ID - 1;
        uint64_t key = key_of(id, strcspn(id, "\""));
        bool there = is_there(store, key);
        if (version > 1 || (there ? version < 0 : version > 0))
            return 409;
        if (there && version == 0)
            return 200; /* it takes the place of the same document */
        if (!there && store->count == SOLR_DOCUMENTS_MAX)
            world_fatal("more than %u documents", SOLR_DOCUMENTS_MAX);
        if (!there)
            store->keys[store->count++] = key;
    }
    const char *member =
        store->member != NULL ? memmem(document, length, store->member, strlen(store->member)) : NULL;
    if (member != NULL) {
        member += strlen(store->member);
        ledger_arrived(member, strcspn(member, "\""));
        return 200;
    }
    int bytes = snprintf(text, sizeof text, "{%.*s", (int)(document + length - at), at);
    ledger_arrived(text, (size_t)bytes);
    return 200;
}

static int update(struct solr_store *store, bool goes_on, const char *body, size_t length,
                  solr_document_status *status_of, void *argument)
{
    const char *at = body, *end = body + length;
    if (length < 2 || *at++ != '[' || end[-1] != ']')
        world_fatal("an update is no array");
    while (at < end - 1) {
        const char *after = end_of(at, end);
        int status = status_of(argument, at, (size_t)(after - at));
        if (status == 200)
            status = store_one(store, at, (size_t)(after - at));
        if (status != 200 && !(status == 409 && goes_on))
            return status;
        at = after + (*after == ',');
    }
    return 200;
}

size_t solr_answer(struct solr_store *store, const char *head, const char *body, size_t length,
                   solr_document_status *status_of, void *argument, char *out, size_t room)
{
    char answer[256];
    int status = 200;
    if (strncmp(head, "POST /solr/c/update?wt=json", 27) == 0)
        status = update(store, strstr(head, "failOnVersionConflicts=false") != NULL, body, length, status_of,
                        argument);
    else if (strncmp(head, "GET /solr/c/schema/uniquekey?", 29) != 0)
        status = 404;
    if (status == 200)
        snprintf(answer, sizeof answer,
                 "{\"responseHeader\":{\"status\":0,\"QTime\":1},\"uniqueKey\":\"id\"}");
    else if (status == SOLR_UNNAMED)
        snprintf(
            answer, sizeof answer,
            "{\"responseHeader\":{\"status\":400,\"QTime\":1},\"error\":{\"msg\":\"the model has no such "
            "chain\",\"code\":400}}");
    else
        snprintf(
            answer, sizeof answer,
            "{\"responseHeader\":{\"status\":%d,\"QTime\":1},\"error\":{\"metadata\":[\"error-class\",\"x\"],"
            "\"msg\":\"ERROR: [doc=x] the model\\nsays so\",\"code\":%d}}",
            status, status);
    return (size_t)snprintf(
        out, room, "HTTP/1.1 %d It\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        status == SOLR_UNNAMED ? 400 : status, strlen(answer), answer);
}
