/* Answers of Elasticsearch and OpenSearch: to a bulk request of 1 to 8 items, to `_mget`, `_nodes/http`, and to `GET /`. Every item gets a result, no reason lies outside of the
 * answer, and only an answer that has exactly the items can deliver all of them. */
#include "stages/lib/elastic/bulk.h"
#include "stages/lib/elastic/compare.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A document lies in the answer, and is the same as itself. */
static void read_found(char *body, size_t length)
{
    static const struct ps_slice other = {"{\"a\": 1}", 8};
    struct ps_elastic_reader reader = {.at = NULL};
    struct ps_elastic_found found;
    while (ps_elastic_found_next(&reader, body, length, &found)) {
        if (found.document.length == 0) {
            if (found.reason != NULL && strlen(found.reason) > 1000)
                abort();
            continue;
        }
        if (found.document.data < body || found.document.data + found.document.length > body + length ||
            !ps_elastic_is_same(found.document, found.document, found.document))
            abort();
        (void)ps_elastic_is_same(other, other, found.document);
        (void)ps_elastic_is_same(found.document, other, other);
    }
}

static void add_node(void *, const char *address, size_t length)
{
    if (length == 0 || length > 300 || memchr(address, '/', length) != NULL ||
        memchr(address, '@', length) != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_remote_result results[8];
    struct ps_elastic_counts counts;
    struct ps_elastic_server server;
    if (size == 0)
        return 0;
    uint32_t count = data[0] % 8 + 1;
    size_t length = size - 1;
    char *body = malloc(length + 1); /* so that a sanitizer sees what is read behind the end */
    if (body == NULL)
        return 0;
    memcpy(body, data + 1, length);
    body[length] = '\0';
    if (ps_elastic_server_read(body, length, &server) &&
        memchr(server.cluster, '\0', sizeof server.cluster) == NULL)
        abort();
    ps_elastic_nodes_read(body, length, add_node, NULL);
    read_found(body, length);
    memcpy(body, data + 1, length);
    memset(results, 0xFF, sizeof results);
    ps_elastic_answer_read(body, length, PS_REMOTE_DELIVERED, results, count, &counts);
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (results[i].outcome > PS_REMOTE_UNKNOWN)
            abort();
        delivered += results[i].outcome == PS_REMOTE_DELIVERED;
        if (results[i].outcome != PS_REMOTE_DELIVERED && strlen(results[i].reason) > 1000)
            abort();
    }
    if (delivered != counts.created + counts.existing ||
        counts.created + counts.existing + counts.later + counts.refused + counts.unknown != count)
        abort();
    free(body);
    return 0;
}
