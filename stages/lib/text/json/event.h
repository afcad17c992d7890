/* Writes an event as a JSON object (RFC 8259): the body and the headers as members, each a string. Bytes that are not UTF-8
 * become U+FFFD, as Java decodes them. No member comes twice: the time comes before the body, and the body before a
 * header of the same name; a renamed header comes before one that has the name. The serializer json
 * (stages/serializers/json.c) has the keys; the sinks kafka and http take its plan for their records and requests.
 * Thread: `check` and `build` the control thread's, the others any. Allocates nothing while it writes. */
#pragma once

#include "core/stage.h"

#define PS_JSON_MEMBER_BYTES_MAX 100U /* of a member's name in the configuration */

struct ps_json_event_rename {
    const struct ps_name *from;
    const char *to;
    uint32_t to_length;
};

/* The plan of the serializer json. */
struct ps_event_json {
    const char *body, *timestamp, *nested; /* names of members; `timestamp` and `nested` NULL: none */
    const char *headers;                   /* "all", "none", or names */
    struct ps_pairs rename;
    bool newline;
    /* Made by ps_json_event_build: */
    const char *nest; /* the object with the headers; NULL: they are members beside the body */
    bool all;
    const struct ps_name **chosen, *timestamp_header;
    size_t chosen_count, rename_count;
    struct ps_json_event_rename *renames;
};

/* The keys of a sink that has no serializer of Flume's: serializer = json, and serializer.json.* */
#define PS_JSON_EVENT_OPTION_ROWS(type_offset, keys_offset)                                                  \
    PS_OPTION_ROW("serializer", TEXT, (type_offset),                                                         \
                  "json: the event as a JSON object, body and headers; unset: the body as it is",            \
                  .flags = PS_OPTION_EXTENSION),                                                             \
        PS_OPTION_ROW("serializer.", MAP, (keys_offset),                                                     \
                      "keys of the serializer json: serializer.json.body, ..", .flags = PS_OPTION_EXTENSION)

/* For `check` and `build` of such a sink: sets *json to the plan of the serializer, or NULL if `type` is NULL. Fails if
 * `type` is not json, or the keys are wrong; then an error is reported, or in `err`. */
enum ps_status ps_json_event_of_sink(const char *type, const struct ps_pairs *keys,
                                     struct ps_context *context, const struct ps_event_json **json,
                                     struct ps_err *err);

enum ps_status ps_json_event_check(const struct ps_event_json *json, const struct ps_context *context);
void ps_json_event_build(struct ps_event_json *json, struct ps_context *context);

/* Returns an upper bound of the object's length. `json` NULL: for any plan. */
size_t ps_json_event_bound(const struct ps_event_json *json, const struct ps_batch *batch,
                           const struct ps_event *event);
/* Writes the object, without a newline. Returns its length. `to` has room for the bound. */
size_t ps_json_event_write(const struct ps_event_json *json, const struct ps_batch *batch,
                           const struct ps_event *event, char *to);
