/* See text.h. Reads untrusted texts; lists are bounded by PS_TEXT_LIST_MAX. */
#include "conf/text.h"

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
    for (const char *at = text; texts.count < PS_TEXT_LIST_MAX;) {
        at += strspn(at, separators);
        if (*at == '\0')
            break;
        size_t length = strcspn(at, separators);
        const char *item = ps_arena_copy(arena, at, length);
        at += length;
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

bool ps_texts_have(const struct ps_texts *texts, const char *item)
{
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], item) == 0)
            return true;
    return false;
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

#define DISTANCE_MAX_LENGTH 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Changes, insertions, removals and swaps of neighbours that turn one text into the other. */
static unsigned text_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > DISTANCE_MAX_LENGTH || m > DISTANCE_MAX_LENGTH)
        return strcasecmp(a, b) == 0 ? 0 : UINT32_MAX;
    unsigned rows[3][DISTANCE_MAX_LENGTH + 1];
    for (unsigned j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void ps_nearest_init(struct ps_nearest *nearest, const char *written)
{
    size_t length = strlen(written);
    /* One slip for a short word, two for a middling one, three for a long one; nothing for one or two
     * letters. */
    unsigned slips = length < 3 ? 0 : length < 6 ? 1 : length < 12 ? 2 : 3;
    *nearest = (struct ps_nearest){.written = written, .distance = slips + 1};
}

void ps_nearest_offer(struct ps_nearest *nearest, const char *word)
{
    unsigned distance = text_distance(nearest->written, word);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->word = word;
    }
}
