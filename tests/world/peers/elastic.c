#include "tests/world/peers/elastic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/shared.h"

#define LINE_BYTES ((size_t)64 << 10)

struct text {
    char *at;
    size_t length, room;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->at + text->length, text->room - text->length, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
    if (text->length >= text->room)
        world_fatal("the answer of a bulk request is longer than %zu bytes", text->room);
}

struct elastic_store *elastic_store_make(void)
{
    struct elastic_store *store = world_allocate(sizeof *store);
    store->version = "2.19.1";
    store->is_opensearch = true;
    return store;
}

/* Returns the value of a text member of an action, up to its quotation mark; its length is 0 if there is none. */
static const char *member(const char *action, const char *name, size_t *length)
{
    const char *at = strstr(action, name);
    *length = 0;
    if (at == NULL)
        return "";
    at += strlen(name);
    *length = strcspn(at, "\"");
    return at;
}

static uint64_t key_of(const char *action)
{
    size_t index_length, id_length;
    const char *index = member(action, "\"_index\":\"", &index_length),
               *id = member(action, "\"_id\":\"", &id_length);
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < index_length; i++)
        key = (key ^ (unsigned char)index[i]) * UINT64_C(0x100000001b3);
    key = (key ^ 0x100) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < id_length; i++)
        key = (key ^ (unsigned char)id[i]) * UINT64_C(0x100000001b3);
    return id_length == 0 ? 0 : key;
}

/* Stores the document, unless its id is there. Returns the status. */
static int store_one(struct elastic_store *store, const char *action, const char *document, size_t length)
{
    static char text[LINE_BYTES];
    size_t index_length;
    uint64_t key = key_of(action);
    for (uint32_t i = 0; key != 0 && i < store->count; i++)
        if (store->keys[i] == key)
            return 409;
    if (key != 0) {
        if (store->count == ELASTIC_DOCUMENTS_MAX)
            world_fatal("more than %u documents", ELASTIC_DOCUMENTS_MAX);
        if (store->keeps)
            memcpy(store->documents[store->count] = world_allocate(length + 1), document, length);
        store->keys[store->count++] = key;
    }
    const char *index = member(action, "\"_index\":\"", &index_length);
    if (store->member != NULL) {
        const char *body = member(document, store->member, &length);
        ledger_arrived(body, length);
        return 201;
    }
    int bytes = snprintf(text, sizeof text, "%.*s %.*s", (int)index_length, index, (int)length, document);
    ledger_arrived(text, (size_t)bytes);
    return 201;
}

static const char *type_of(int status)
{
    return status == 400   ? "mapper_parsing_exception"
           : status == 403 ? "cluster_block_exception"
           : status == 404 ? "index_not_found_exception"
           : status == 409 ? "version_conflict_engine_exception"
           : status == 429 ? "es_rejected_execution_exception"
                           : "unavailable_shards_exception";
}

static void answer_bulk(struct elastic_store *store, char *body, size_t length,
                        elastic_item_status *status_of, void *argument, struct text *text)
{
    const char *before = "{\"items\":[";
    char *at = body, *end = body + length;
    while (at < end) {
        char *action = at, *document = memchr(at, '\n', (size_t)(end - at));
        if (document == NULL)
            world_fatal("the last action of a bulk request has no end");
        *document++ = 0;
        char *after = memchr(document, '\n', (size_t)(end - document));
        if (after == NULL)
            world_fatal("the last document of a bulk request has no end");
        const char *verb = strncmp(action, "{\"create\":", 10) == 0 ? "create" : "index";
        if (strncmp(action, "{\"create\":", 10) != 0 && strncmp(action, "{\"index\":", 9) != 0)
            world_fatal("an action that is neither create nor index: %s", action);
        int status = status_of(argument, document, (size_t)(after - document));
        if (status / 100 == 2)
            status = store_one(store, action, document, (size_t)(after - document));
        put(text, "%s{\"%s\":{\"status\":%d", before, verb, status);
        if (status / 100 != 2)
            put(text, ",\"error\":{\"type\":\"%s\",\"reason\":\"the model says so\"}", type_of(status));
        put(text, "}}");
        before = ",";
        at = after + 1;
    }
    put(text, "]}");
}

/* Each document of a question is asked for by its place, {"_index":"i","_id":"x"}. */
static void answer_documents(const struct elastic_store *store, char *body, struct text *text)
{
    const char *before = "{\"docs\":[";
    for (char *at = strstr(body, "{\"_index\""); at != NULL; before = ",") {
        char *next = strstr(at + 1, "{\"_index\"");
        if (next != NULL)
            next[-1] = 0;
        uint64_t key = key_of(at);
        uint32_t i = 0;
        while (i < store->count && store->keys[i] != key)
            i++;
        put(text, "%s{\"found\":%s", before, i < store->count ? "true,\"_source\":" : "false");
        put(text, "%s}", i < store->count ? store->documents[i] : "");
        at = next;
    }
    put(text, "]}");
}

static void answer_nodes(const struct elastic_store *store, struct text *text)
{
    const char *before = "";
    put(text, "{\"nodes\":{");
    for (size_t i = 0; i < sizeof store->nodes / sizeof *store->nodes; i++) {
        if (store->nodes[i] == 0)
            continue;
        put(text, "%s\"node%zu\":{\"roles\":[\"data\"],\"http\":{\"publish_address\":\"127.0.0.1:%u\"}}",
            before, i, store->nodes[i]);
        before = ",";
    }
    put(text, "}}");
}

size_t elastic_answer(struct elastic_store *store, const char *head, char *body, size_t length,
                      elastic_item_status *status_of, void *argument, char *out, size_t room)
{
    static char answer[LINE_BYTES * 8];
    struct text text = {answer, 0, sizeof answer};
    answer[0] = 0;
    bool is_bulk = strncmp(head, "POST /_bulk?", 12) == 0;
    bool asks = strncmp(head, "POST /_mget ", 12) == 0;
    bool is_nodes = strncmp(head, "GET /_nodes/http?", 17) == 0;
    if (!is_bulk && !asks && !is_nodes && strncmp(head, "GET / ", 6) != 0)
        world_fatal("the model knows no such request: %.40s", head);
    if (is_bulk)
        answer_bulk(store, body, length, status_of, argument, &text);
    else if (is_nodes)
        answer_nodes(store, &text);
    else if (asks) {
        body[length] = 0;
        answer_documents(store, body, &text);
    } else
        put(&text, "{\"cluster_name\":\"model\",\"version\":{%s\"number\":\"%s\"}}",
            store->is_opensearch ? "\"distribution\":\"opensearch\"," : "", store->version);
    int bytes = snprintf(out, room,
                         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                         text.length, text.at);
    return (size_t)bytes;
}
