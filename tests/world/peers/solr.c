#include "tests/world/peers/solr.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/shared.h"

#define TEXT_BYTES ((size_t)64 << 10)
#define ID "\"id\":\""
#define VERSION "\"_version_\":-1"

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

/* Stores the document; its id and version come first. Returns the status: 409 if it must not exist, and does. */
static int store_one(struct solr_store *store, const char *document, size_t length)
{
    static char text[TEXT_BYTES];
    const char *at = document + 1, *id = NULL;
    size_t id_length = 0;
    if (strncmp(at, ID, sizeof ID - 1) == 0) {
        id = at + sizeof ID - 1;
        id_length = strcspn(id, "\"");
        at = id + id_length + 1;
        at += *at == ',';
    }
    bool is_new = strncmp(at, VERSION, sizeof VERSION - 1) == 0;
    if (is_new)
        at += sizeof VERSION - 1;
    at += is_new && *at == ',';
    if (id != NULL) {
        uint64_t key = key_of(id, id_length);
        if (is_there(store, key))
            return is_new ? 409 : 200; /* it takes the place of the same document */
        if (store->count == SOLR_DOCUMENTS_MAX)
            world_fatal("more than %u documents", SOLR_DOCUMENTS_MAX);
        store->keys[store->count++] = key;
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
    else
        snprintf(
            answer, sizeof answer,
            "{\"responseHeader\":{\"status\":%d,\"QTime\":1},\"error\":{\"metadata\":[\"error-class\",\"x\"],"
            "\"msg\":\"ERROR: [doc=x] the model\\nsays so\",\"code\":%d}}",
            status, status);
    return (size_t)snprintf(
        out, room, "HTTP/1.1 %d It\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        status, strlen(answer), answer);
}
