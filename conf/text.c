/* See text.h. Reads untrusted texts; PS_TEXT_LIST_MAX limits the lists. */
#include "conf/text.h"

#include "core/text/list.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *ps_text_trim(struct ps_arena *arena, const char *text)
{
    size_t length = strlen(text), begin = 0;
    while (begin < length && (unsigned char)text[begin] <= ' ')
        begin++;
    while (length > begin && (unsigned char)text[length - 1] <= ' ')
        length--;
    if (text[length] == '\0')
        return text + begin;
    return ps_arena_copy(arena, text + begin, length - begin);
}

static struct ps_texts text_split(struct ps_arena *arena, const char *text, const char *separators, bool trim)
{
    struct ps_texts texts = {0};
    const char **items = NULL;
    size_t room = 0;
    struct ps_slice next;
    while (texts.count < PS_TEXT_LIST_MAX && ps_list_next(&text, separators, &next)) {
        const char *item = ps_arena_copy(arena, next.data, next.length);
        if (trim)
            item = ps_text_trim(arena, item);
        if (*item == '\0')
            continue;
        if (texts.count == room) {
            room = room == 0 ? 8 : room * 2;
            const char **more = ps_arena_alloc(arena, room * sizeof *more);
            if (texts.count > 0)
                memcpy(more, items, texts.count * sizeof *more);
            items = more;
        }
        items[texts.count++] = item;
    }
    texts.items = items;
    return texts;
}

struct ps_texts ps_text_split_blanks(struct ps_arena *arena, const char *text)
{
    return text_split(arena, text, " \t\n\v\f\r", false);
}

struct ps_texts ps_text_split_commas(struct ps_arena *arena, const char *text)
{
    return text_split(arena, text, ",", true);
}

struct ps_texts ps_text_split_spaces(struct ps_arena *arena, const char *text)
{
    return text_split(arena, text, " ", false);
}

bool ps_text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *ps_pairs_get_last(const struct ps_pairs *pairs, const char *key)
{
    for (size_t i = pairs->count; i > 0; i--)
        if (strcmp(pairs->items[i - 1].key, key) == 0)
            return pairs->items[i - 1].value;
    return NULL;
}

bool ps_texts_have(const struct ps_texts *texts, const char *item)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], item) == 0)
            return true;
    return false;
}

void ps_texts_add(struct ps_arena *arena, struct ps_texts *texts, const char *text)
{
    const char **items = ps_arena_alloc(arena, (texts->count + 1) * sizeof *items);
    if (texts->count > 0)
        memcpy(items, texts->items, texts->count * sizeof *items);
    items[texts->count] = text;
    *texts = (struct ps_texts){texts->count + 1, items};
}

void ps_pairs_add(struct ps_arena *arena, struct ps_pairs *pairs, struct ps_pair pair)
{
    struct ps_pair *items = ps_arena_alloc(arena, (pairs->count + 1) * sizeof *items);
    if (pairs->count > 0)
        memcpy(items, pairs->items, pairs->count * sizeof *items);
    items[pairs->count] = pair;
    *pairs = (struct ps_pairs){pairs->count + 1, items};
}

struct ps_texts ps_texts_unique(struct ps_arena *arena, struct ps_texts texts)
{
    const char **items = ps_arena_alloc(arena, (texts.count + 1) * sizeof *items);
    struct ps_texts unique = {0, items};
    for (size_t i = 0; i < texts.count; i++)
        if (!ps_texts_have(&unique, texts.items[i]))
            items[unique.count++] = texts.items[i];
    return unique;
}

const char *ps_texts_join(struct ps_arena *arena, const struct ps_texts *texts)
{
    size_t length = 1;
    for (size_t i = 0; i < texts->count; i++)
        length += strlen(texts->items[i]) + 2;
    char *joined = ps_arena_alloc(arena, length);
    char *at = joined;
    for (size_t i = 0; i < texts->count; i++) {
        if (i > 0)
            at = stpcpy(at, ", ");
        at = stpcpy(at, texts->items[i]);
    }
    return joined;
}
