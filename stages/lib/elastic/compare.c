#include "stages/lib/elastic/compare.h"

#include <string.h>

static bool is_white(char character)
{
    return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

/* Returns the text without the white space at its beginning. */
static struct ps_slice trim(struct ps_slice text)
{
    while (text.length > 0 && is_white(*text.data))
        text = (struct ps_slice){text.data + 1, text.length - 1};
    return text;
}

static bool are_equal(struct ps_slice one, struct ps_slice other)
{
    bool in_string = false;
    while (true) {
        if (!in_string) {
            one = trim(one);
            other = trim(other);
        }
        if (one.length == 0 || other.length == 0)
            return one.length == other.length;
        uint32_t count = in_string && *one.data == '\\' && one.length > 1 ? 2 : 1;
        if (other.length < count || memcmp(one.data, other.data, count) != 0)
            return false;
        in_string ^= *one.data == '"';
        one = (struct ps_slice){one.data + count, one.length - count};
        other = (struct ps_slice){other.data + count, other.length - count};
    }
}

/* Cuts the next member, "NAME":VALUE, off the inside of an object. Returns false at the end. */
static bool next_member(struct ps_slice *inside, struct ps_slice *member)
{
    uint32_t depth = 0, at = 0;
    bool in_string = false;
    *inside = trim(*inside);
    for (; at < inside->length; at++) {
        char character = inside->data[at];
        if (in_string && character == '\\')
            at++;
        else if (character == '"')
            in_string = !in_string;
        else if (!in_string && (character == '{' || character == '['))
            depth++;
        else if (!in_string && (character == '}' || character == ']'))
            depth--;
        else if (!in_string && depth == 0 && character == ',')
            break;
    }
    at = at < inside->length ? at : inside->length;
    *member = (struct ps_slice){inside->data, at};
    uint32_t used = at < inside->length ? at + 1 : at;
    *inside = (struct ps_slice){inside->data + used, inside->length - used};
    return member->length > 0;
}

static struct ps_slice inside_of(struct ps_slice object)
{
    object = trim(object);
    while (object.length > 0 && is_white(object.data[object.length - 1]))
        object.length--;
    return object.length < 2 ? (struct ps_slice){object.data, 0}
                             : (struct ps_slice){object.data + 1, object.length - 2};
}

/* Returns whether both members have the same name: all of them begin with a string. */
static bool have_one_name(struct ps_slice one, struct ps_slice other)
{
    uint32_t at = 1;
    while (at < one.length && one.data[at] != '"')
        at += one.data[at] == '\\' ? 2 : 1;
    return at < one.length && at < other.length && memcmp(one.data, other.data, at + 1) == 0;
}

bool ps_elastic_is_same(struct ps_slice made, struct ps_slice made_later, struct ps_slice stored)
{
    struct ps_slice one, later, other;
    if (are_equal(made, stored))
        return true;
    made = inside_of(made);
    made_later = inside_of(made_later);
    stored = inside_of(stored);
    while (next_member(&made, &one)) {
        if (!next_member(&made_later, &later) || !next_member(&stored, &other) || !have_one_name(one, other))
            return false;
        if (are_equal(one, later) && !are_equal(one, other))
            return false;
    }
    return !next_member(&stored, &other);
}
