#include "bench/verify/far/records.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ps_far_hand_over(struct ps_far_hand *hand, const char *data, size_t length)
{
    hand->count++;
    hand->taker(hand->argument, &(struct ps_far_record){.data = data,
                                                        .length = length,
                                                        .stream = hand->stream,
                                                        .arrival_mono_ns = hand->arrival_ns});
}

enum ps_status ps_far_choice(struct ps_url *url, const char *key, const char *no, const char *yes, bool *is,
                             struct ps_err *err)
{
    const char *value = ps_url_get(url, key, no);
    *is = strcmp(value, yes) == 0;
    if (*is || strcmp(value, no) == 0)
        return PS_OK;
    return ps_err_set(err, "%s: %s is %s or %s, not `%s`", url->text, key, no, yes, value);
}

void ps_far_note(struct ps_far_notes *notes, bool lossy, const char *format, ...)
{
    char note[sizeof notes->notes[0]];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    notes->lossy = notes->lossy || lossy;
    for (unsigned i = 0; i < notes->count && i < PS_FAR_NOTES_MAX; i++)
        if (strcmp(notes->notes[i], note) == 0)
            return;
    if (notes->count < PS_FAR_NOTES_MAX)
        memcpy(notes->notes[notes->count], note, sizeof note);
    notes->count++;
}

const char *ps_far_notes_text(struct ps_far_notes *notes, const char *first)
{
    size_t length = 0;
    notes->text[0] = '\0';
    if (*first != '\0')
        length = (size_t)snprintf(notes->text, sizeof notes->text, "%.250s", first);
    for (unsigned i = 0; i < notes->count && i < PS_FAR_NOTES_MAX; i++)
        length += (size_t)snprintf(notes->text + length, sizeof notes->text - length, "%s%s",
                                   length > 0 ? "; " : "", notes->notes[i]);
    if (notes->count > PS_FAR_NOTES_MAX)
        length += (size_t)snprintf(notes->text + length, sizeof notes->text - length, "; and %llu more",
                                   (unsigned long long)(notes->count - PS_FAR_NOTES_MAX));
    return length > 0 ? notes->text : NULL;
}

/* ---- the elements of a JSON array ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Returns the position after the closing quote of the string whose opening quote is at `at`, or NULL. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return NULL;
}

/* Returns the end of one value, at a comma or bracket outside of it, or NULL when it does not end. */
static const char *value_end(const char *at, const char *end)
{
    unsigned depth = 0;
    while (at < end) {
        switch (*at) {
        case '"':
            at = string_end(at, end);
            if (at == NULL)
                return NULL;
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return at;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return at;
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

static bool array_walk(const char *at, const char *end, struct ps_far_hand *hand)
{
    while (at < end && is_blank(*at))
        at++;
    if (at == end || *at != '[')
        return false;
    bool first = true;
    for (at++;;) {
        while (at < end && is_blank(*at))
            at++;
        if (first && at < end && *at == ']')
            break;
        first = false;
        const char *stop = value_end(at, end), *last = stop;
        if (stop == NULL || *stop == '}')
            return false;
        while (last > at && is_blank(last[-1]))
            last--;
        if (last == at)
            return false;
        if (hand != NULL)
            ps_far_hand_over(hand, at, (size_t)(last - at));
        at = stop;
        if (*at == ']')
            break;
        at++;
    }
    for (at++; at < end && is_blank(*at);)
        at++;
    return at == end;
}

bool ps_far_json_array(const char *data, size_t length, struct ps_far_hand *hand)
{
    if (!array_walk(data, data + length, NULL))
        return false;
    array_walk(data, data + length, hand);
    return true;
}
