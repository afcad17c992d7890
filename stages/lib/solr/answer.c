#include "stages/lib/solr/answer.h"

#include <string.h>

#include "stages/lib/text/json/cursor.h"

struct reader {
    struct ps_json_cursor cursor;
    char *body;
    struct ps_solr_answer *answer;
};

/* Takes a string, and puts its text in its place in the body, where it has room: it is not longer than what stood for it. Control
 * characters become blanks. Returns NULL if there is no string. */
static const char *take_text(struct reader *reader)
{
    if (ps_json_peek(&reader->cursor) != '"')
        return NULL;
    char *to = reader->body + (reader->cursor.at - reader->body);
    if (!ps_json_string_take(&reader->cursor))
        return NULL;
    size_t length = strlen(reader->cursor.string);
    PS_ASSERT(to + length < reader->cursor.at);
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)reader->cursor.string[i] < 0x20 ? ' ' : reader->cursor.string[i];
    to[length] = '\0';
    return to;
}

/* Calls `take` for each member of an object. `take` takes the value. */
typedef bool take_member(struct reader *reader, const char *name, void *argument);

static bool read_object(struct reader *reader, take_member *take, void *argument)
{
    if (!ps_json_accept(&reader->cursor, '{'))
        return false;
    if (ps_json_accept(&reader->cursor, '}'))
        return true;
    do {
        const char *name = take_text(reader);
        if (name == NULL || !ps_json_accept(&reader->cursor, ':') || !take(reader, name, argument))
            return false;
    } while (ps_json_accept(&reader->cursor, ','));
    return ps_json_accept(&reader->cursor, '}');
}

static bool take_if_text(struct reader *reader, const char **text)
{
    if (ps_json_peek(&reader->cursor) != '"')
        return ps_json_skip(&reader->cursor);
    *text = take_text(reader);
    return *text != NULL;
}

static bool take_refusal_member(struct reader *reader, const char *name, void *argument)
{
    struct ps_solr_refusal *refusal = argument;
    if (strcmp(name, "id") == 0)
        return take_if_text(reader, &refusal->id);
    if (strcmp(name, "message") == 0)
        return take_if_text(reader, &refusal->reason);
    return ps_json_skip(&reader->cursor);
}

static bool take_refusals(struct reader *reader)
{
    struct ps_solr_answer *answer = reader->answer;
    if (!ps_json_accept(&reader->cursor, '['))
        return ps_json_skip(&reader->cursor);
    if (ps_json_accept(&reader->cursor, ']'))
        return true;
    do {
        struct ps_solr_refusal refusal = {"", "the server left the document out"};
        if (!read_object(reader, take_refusal_member, &refusal))
            return false;
        if (answer->refusal_count < answer->refusals_max)
            answer->refusals[answer->refusal_count++] = refusal;
        else
            answer->has_more_refusals = true;
    } while (ps_json_accept(&reader->cursor, ','));
    return ps_json_accept(&reader->cursor, ']');
}

static bool take_header_member(struct reader *reader, const char *name, void *)
{
    return strcmp(name, "errors") == 0 ? take_refusals(reader) : ps_json_skip(&reader->cursor);
}

static bool take_error_member(struct reader *reader, const char *name, void *)
{
    if (strcmp(name, "msg") == 0)
        return take_if_text(reader, &reader->answer->message);
    if (strcmp(name, "trace") == 0)
        return take_if_text(reader, &reader->answer->trace);
    return ps_json_skip(&reader->cursor);
}

static bool take_answer_member(struct reader *reader, const char *name, void *)
{
    struct ps_solr_answer *answer = reader->answer;
    bool is_object = ps_json_peek(&reader->cursor) == '{';
    if (is_object && strcmp(name, "responseHeader") == 0) {
        answer->has_header = true;
        return read_object(reader, take_header_member, NULL);
    }
    if (is_object && strcmp(name, "error") == 0)
        return read_object(reader, take_error_member, NULL);
    if (strcmp(name, "uniqueKey") == 0)
        return take_if_text(reader, &answer->unique_key);
    return ps_json_skip(&reader->cursor);
}

bool ps_solr_answer_read(struct ps_solr_answer *answer, char *body, size_t length, char *scratch)
{
    struct reader reader = {{body, body + length, scratch}, body, answer};
    answer->refusal_count = 0;
    answer->has_more_refusals = answer->has_header = false;
    answer->message = answer->trace = answer->unique_key = NULL;
    return body != NULL && read_object(&reader, take_answer_member, NULL) &&
           ps_json_peek(&reader.cursor) == -1 && answer->has_header;
}
