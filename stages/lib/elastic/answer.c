#include "stages/lib/elastic/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/text/json/text.h"

#define REASON_BYTES 400U
#define DEPTH_MAX 64U

/* A place in the answer. Functions that return false have met its end, or something that is not JSON. */
struct place {
    char *at, *end;
};

/* A string of the answer, without its quotation marks and with its escapes. */
struct text {
    const char *at;
    size_t length;
};

static int peek(struct place *place)
{
    while (place->at < place->end &&
           (*place->at == ' ' || *place->at == '\t' || *place->at == '\n' || *place->at == '\r'))
        place->at++;
    return place->at < place->end ? (unsigned char)*place->at : -1;
}

static bool take(struct place *place, char character)
{
    if (peek(place) != character)
        return false;
    place->at++;
    return true;
}

static bool take_text(struct place *place, struct text *text)
{
    if (!take(place, '"'))
        return false;
    text->at = place->at;
    while (place->at < place->end && *place->at != '"')
        place->at += *place->at == '\\' && place->end - place->at > 1 ? 2 : 1;
    text->length = (size_t)(place->at - text->at);
    return take(place, '"');
}

static bool is_text(const struct text *text, const char *word)
{
    return text->length == strlen(word) && memcmp(text->at, word, text->length) == 0;
}

static bool take_name(struct place *place, struct text *name)
{
    return take_text(place, name) && take(place, ':');
}

/* Skips a value of any kind. */
static bool skip(struct place *place)
{
    unsigned depth = 0;
    do {
        int first = peek(place);
        struct text text;
        if (first == '"') {
            if (!take_text(place, &text))
                return false;
        } else if (first == '{' || first == '[') {
            depth++;
            place->at++;
        } else if (first == '}' || first == ']') {
            if (depth == 0)
                return false;
            depth--;
            place->at++;
        } else if (first == ',' || first == ':') {
            if (depth == 0)
                return false;
            place->at++;
            continue;
        } else {
            const char *start = place->at;
            while (place->at < place->end && strchr(",:[]{}\" \t\r\n", *place->at) == NULL &&
                   *place->at != '\0')
                place->at++;
            if (place->at == start)
                return false;
        }
    } while (depth > 0 && depth <= DEPTH_MAX);
    return depth == 0;
}

static bool take_number(struct place *place, long *number)
{
    long value = 0;
    if (peek(place) < '0' || peek(place) > '9')
        return false;
    for (; place->at < place->end && *place->at >= '0' && *place->at <= '9'; place->at++)
        value = value < 100000 ? value * 10 + (*place->at - '0') : value;
    *number = value;
    return true;
}

/* ---- items ---- */

struct item {
    long status;
    struct text type, reason; /* of the error */
};

/* An error is an object with type and reason; before Elasticsearch 2 it was a text. */
static bool take_error(struct place *place, struct item *item)
{
    struct text name;
    if (peek(place) == '"')
        return take_text(place, &item->reason);
    if (peek(place) != '{')
        return skip(place);
    place->at++;
    if (take(place, '}'))
        return true;
    do {
        if (!take_name(place, &name))
            return false;
        bool is_type = is_text(&name, "type"), is_reason = is_text(&name, "reason");
        bool good = (is_type || is_reason) && peek(place) == '"'
                        ? take_text(place, is_type ? &item->type : &item->reason)
                        : skip(place);
        if (!good)
            return false;
    } while (take(place, ','));
    return take(place, '}');
}

/* Takes {"create":{"status":201,..}}. */
static bool take_item(struct place *place, struct item *item)
{
    struct text name;
    *item = (struct item){.status = 0};
    if (!take(place, '{') || !take_name(place, &name) || !take(place, '{'))
        return false;
    do {
        if (!take_name(place, &name))
            return false;
        bool good = is_text(&name, "status")  ? take_number(place, &item->status)
                    : is_text(&name, "error") ? take_error(place, item)
                                              : skip(place);
        if (!good)
            return false;
    } while (take(place, ','));
    return take(place, '}') && take(place, '}') && item->status > 0;
}

/* Takes {"create":{"status":201}}, which is most of an answer, with the comma behind it. */
static bool take_usual(struct place *place)
{
    static const char create[] = "{\"create\":{\"status\":201}},", index[] = "{\"index\":{\"status\":201}},";
    size_t left = (size_t)(place->end - place->at), length = 0;
    if (left >= sizeof create && memcmp(place->at, create, sizeof create - 1) == 0)
        length = sizeof create - 1;
    else if (left >= sizeof index && memcmp(place->at, index, sizeof index - 1) == 0)
        length = sizeof index - 1;
    place->at += length;
    return length > 0;
}

/* Moves the place to the value of the answer's member of this name. */
static bool find_member(struct place *place, const char *wanted)
{
    struct text name;
    if (!take(place, '{'))
        return false;
    do {
        if (!take_name(place, &name))
            return false;
        if (is_text(&name, wanted))
            return true;
        if (!skip(place))
            return false;
    } while (take(place, ','));
    return false;
}

/* Moves the place to the first element of the list of this name. */
static bool find_list(struct place *place, const char *list)
{
    return find_member(place, list) && take(place, '[');
}

static bool has_type(const struct item *item, const char *const types[])
{
    for (; *types != NULL; types++)
        if (is_text(&item->type, *types))
            return true;
    return false;
}

/* What an operator, or time, can cure makes the event wait: a missing index where the server may create none, a block (a disk that was
 * full makes indices read-only), missing permissions. What is wrong with the event itself is refused. */
static enum ps_remote_outcome outcome_of(const struct item *item, enum ps_remote_outcome existing,
                                         struct ps_elastic_counts *counts)
{
    static const char *const later[] = {"es_rejected_execution_exception",
                                        "rejected_execution_exception",
                                        "opensearch_rejected_execution_exception",
                                        "circuit_breaking_exception",
                                        "cluster_block_exception",
                                        "index_not_found_exception",
                                        "unavailable_shards_exception",
                                        "security_exception",
                                        NULL};
    long status = item->status;
    if (status / 100 == 2) {
        counts->created++;
        return PS_REMOTE_DELIVERED;
    }
    if (status == 409) {
        counts->existing++;
        return existing;
    }
    if (status == 401 || status == 403 || status == 404 || status == 408 || status == 429 || status == 502 ||
        status == 503 || status == 504 || has_type(item, later)) {
        counts->later++;
        return PS_REMOTE_AGAIN;
    }
    if (status / 100 == 4) {
        counts->refused++;
        return PS_REMOTE_REFUSED;
    }
    counts->unknown++;
    return PS_REMOTE_UNKNOWN;
}

/* Writes "400 mapper_parsing_exception: failed to parse" over the item, which is longer. Status 0: none. */
static const char *print_reason(const struct item *item, char *start, const char *end)
{
    char reason[REASON_BYTES], text[REASON_BYTES];
    uint32_t cut = (uint32_t)(item->reason.length < sizeof text - 1 ? item->reason.length : sizeof text - 1);
    uint32_t length = ps_json_unescape(item->reason.at, cut, "?", text);
    int type = (int)(item->type.length < 100 ? item->type.length : 100);
    char status[24] = "";
    if (item->status > 0)
        snprintf(status, sizeof status, "%ld%s", item->status, type > 0 ? " " : "");
    snprintf(reason, sizeof reason, "%s%.*s%s%.*s", status, type, type > 0 ? item->type.at : "",
             length > 0 ? ": " : "", (int)length, text);
    size_t room = (size_t)(end - start), used = strlen(reason);
    used = used < room ? used : room - 1;
    for (size_t i = 0; i < used; i++)
        start[i] = (unsigned char)reason[i] < ' ' ? ' ' : reason[i];
    start[used] = '\0';
    return start;
}

void ps_elastic_answer_read(char *body, size_t length, enum ps_remote_outcome existing,
                            struct ps_remote_result *results, uint32_t count,
                            struct ps_elastic_counts *counts)
{
    static const char lacks[] = "the server's answer does not have the event";
    struct place place = {.at = body, .end = body + length};
    struct item item;
    uint32_t at = 0;
    *counts = (struct ps_elastic_counts){0};
    bool more = body != NULL && find_list(&place, "items");
    while (more && at < count) {
        if (take_usual(&place)) {
            counts->created++;
            results[at++] = (struct ps_remote_result){.outcome = PS_REMOTE_DELIVERED};
            continue;
        }
        (void)peek(&place);
        char *start = place.at;
        if (!take_item(&place, &item))
            break;
        char *end = place.at;
        more = take(&place, ',');
        enum ps_remote_outcome outcome = outcome_of(&item, existing, counts);
        bool speaks = outcome != PS_REMOTE_DELIVERED;
        results[at++] = (struct ps_remote_result){outcome, speaks ? print_reason(&item, start, end) : NULL};
    }
    if (at < count ||
        more) { /* another number of items: what the server has done with which one is not known */
        bool is_short = at < count && place.at == place.end;
        uint32_t from = is_short ? at : 0; /* an answer that was cut off is right as far as it goes */
        if (from == 0)
            *counts = (struct ps_elastic_counts){0};
        for (uint32_t i = from; i < count; i++)
            results[i] = (struct ps_remote_result){PS_REMOTE_UNKNOWN, lacks};
        counts->unknown += count - from;
    }
}

/* ---- documents ---- */

/* Takes {"found":true,"_source":{..},..}. */
static bool take_document(struct place *place, struct ps_elastic_found *found)
{
    struct item item = {.status = 0};
    struct text name;
    bool is_there = false, failed = false;
    *found = (struct ps_elastic_found){.reason = NULL};
    (void)peek(place);
    char *start = place->at;
    if (!take(place, '{'))
        return false;
    do {
        if (!take_name(place, &name))
            return false;
        int first = peek(place);
        char *value = place->at;
        bool is_error = is_text(&name, "error");
        failed |= is_error;
        if (!(is_error ? take_error(place, &item) : skip(place)))
            return false;
        is_there |= is_text(&name, "found") && first == 't';
        if (is_text(&name, "_source") && first == '{')
            found->document = (struct ps_slice){value, (uint32_t)(place->at - value)};
    } while (take(place, ','));
    char *end = place->at;
    if (!take(place, '}'))
        return false;
    found->has_no_source = is_there && found->document.length == 0;
    if (!is_there || failed)
        found->document.length = 0;
    if (failed)
        found->reason = print_reason(&item, start, end);
    return true;
}

bool ps_elastic_found_next(struct ps_elastic_reader *reader, char *body, size_t length,
                           struct ps_elastic_found *found)
{
    struct place place = {.at = reader->at != NULL ? reader->at : body, .end = body + length};
    bool good = body != NULL && (reader->at == NULL ? find_list(&place, "docs") : take(&place, ',')) &&
                take_document(&place, found);
    reader->at = place.at;
    return good;
}

/* ---- servers ---- */

struct node {
    struct text address;
    bool is_only_master;
};

/* Takes ["data","ingest"]. */
static bool take_roles(struct place *place, struct node *node)
{
    struct text role;
    bool is_master = false, is_more = false;
    if (!take(place, '['))
        return skip(place);
    if (take(place, ']'))
        return true; /* it coordinates */
    do {
        if (!take_text(place, &role))
            return false;
        bool is_one = is_text(&role, "master") || is_text(&role, "cluster_manager");
        is_master |= is_one;
        is_more |= !is_one;
    } while (take(place, ','));
    node->is_only_master = is_master && !is_more;
    return take(place, ']');
}

/* Takes {"publish_address":"host/10.0.0.1:9200"}. */
static bool take_http(struct place *place, struct node *node)
{
    struct text name;
    if (!take(place, '{'))
        return skip(place);
    do {
        if (!take_name(place, &name) ||
            !(is_text(&name, "publish_address") ? take_text(place, &node->address) : skip(place)))
            return false;
    } while (take(place, ','));
    return take(place, '}');
}

/* Hands an address on: a name is better than its number, because certificates have it. */
static void add_node(const struct node *node, void (*add)(void *argument, const char *address, size_t length),
                     void *argument)
{
    char address[300];
    const char *at = node->address.at, *end = at + node->address.length,
               *slash = memchr(at, '/', node->address.length);
    const char *port = memrchr(at, ':', node->address.length);
    if (port == NULL || port + 1 == end || node->address.length >= sizeof address || node->is_only_master)
        return;
    for (const char *c = at; c < end; c++)
        if (c != slash && memchr("-._:[]", *c, 6) == NULL && !(*c >= '0' && *c <= '9') &&
            !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'))
            return;
    bool has_name = slash != NULL && slash > at;
    int length = snprintf(address, sizeof address, "%.*s%.*s",
                          has_name ? (int)(slash - at) : (int)(port - (slash != NULL ? slash + 1 : at)),
                          has_name || slash == NULL ? at : slash + 1, (int)(end - port), port);
    add(argument, address, (size_t)length);
}

static bool take_node(struct place *place, struct node *node)
{
    struct text name;
    *node = (struct node){.is_only_master = false};
    if (!take(place, '{'))
        return false;
    if (take(place, '}'))
        return true;
    do {
        if (!take_name(place, &name))
            return false;
        if (!(is_text(&name, "http")    ? take_http(place, node)
              : is_text(&name, "roles") ? take_roles(place, node)
                                        : skip(place)))
            return false;
    } while (take(place, ','));
    return take(place, '}');
}

void ps_elastic_nodes_read(char *body, size_t length,
                           void (*add)(void *argument, const char *address, size_t length), void *argument)
{
    struct place place = {.at = body, .end = body + length};
    struct node node;
    struct text name;
    if (body == NULL || !find_member(&place, "nodes") || !take(&place, '{'))
        return;
    while (take_name(&place, &name) && take_node(&place, &node)) {
        if (node.address.length > 0)
            add_node(&node, add, argument);
        if (!take(&place, ','))
            return;
    }
}

/* ---- the server ---- */

static void copy(const struct text *text, char *to, size_t room)
{
    size_t length = text->length < room - 1 ? text->length : room - 1;
    to[ps_json_unescape(text->at, (uint32_t)length, "?", to)] = '\0';
}

/* "2.19.1" */
static bool read_version(const struct text *text, struct ps_elastic_server *server)
{
    char number[32], *end;
    copy(text, number, sizeof number);
    unsigned long major = strtoul(number, &end, 10);
    if (end == number || *end != '.' || major > 1000)
        return false;
    server->major = (unsigned)major;
    server->minor = (unsigned)(strtoul(end + 1, NULL, 10) % 1000);
    return true;
}

static bool take_version(struct place *place, struct ps_elastic_server *server, bool *known)
{
    struct text name, value;
    if (!take(place, '{'))
        return false;
    do {
        if (!take_name(place, &name))
            return false;
        if (peek(place) != '"') {
            if (!skip(place))
                return false;
            continue;
        }
        if (!take_text(place, &value))
            return false;
        if (is_text(&name, "number"))
            *known = read_version(&value, server);
        if (is_text(&name, "distribution"))
            server->is_opensearch = is_text(&value, "opensearch");
    } while (take(place, ','));
    return take(place, '}');
}

bool ps_elastic_server_read(const char *body, size_t length, struct ps_elastic_server *server)
{
    struct place place = {.at = (char *)(uintptr_t)body, .end = (char *)(uintptr_t)body + length};
    struct text name, value;
    bool known = false;
    *server = (struct ps_elastic_server){.major = 0};
    if (body == NULL || !take(&place, '{'))
        return false;
    do {
        if (!take_name(&place, &name))
            return false;
        bool good;
        if (is_text(&name, "version") && peek(&place) == '{')
            good = take_version(&place, server, &known);
        else if (is_text(&name, "cluster_name") && peek(&place) == '"') {
            good = take_text(&place, &value);
            if (good)
                copy(&value, server->cluster, sizeof server->cluster);
        } else
            good = skip(&place);
        if (!good)
            return false;
    } while (take(&place, ','));
    return known;
}
