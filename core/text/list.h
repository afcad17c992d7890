/* The items of a list that is one text, such as "a, b". Thread: any. */
#pragma once

#include "core/base.h"

#include <string.h>
#include <strings.h>

/* Cuts the next item off the front of the list: the bytes before the next of the `separators`. Skips separators
 * before it, and so empty items. Returns false at the end of the list. */
static inline bool ps_list_next(const char **list, const char *separators, struct ps_slice *item)
{
    const char *at = *list + strspn(*list, separators);
    size_t length = strcspn(at, separators);
    *list = at + length;
    *item = (struct ps_slice){at, (uint32_t)length};
    return length > 0;
}

/* The same with items between commas; drops blanks and tabs around an item. */
static inline bool ps_list_next_between_commas(const char **list, struct ps_slice *item)
{
    *list += strspn(*list, ", \t");
    bool found = ps_list_next(list, ",", item);
    while (item->length > 0 && strchr(" \t", item->data[item->length - 1]) != NULL)
        item->length--;
    return found;
}

/* Cuts the next item off at the next comma: empty items count, and blanks belong to the items. Sets *list to NULL after
 * the last item. Returns false when *list is NULL. */
static inline bool ps_list_next_at_comma(const char **list, struct ps_slice *item)
{
    if (*list == NULL)
        return false;
    size_t length = strcspn(*list, ",");
    *item = (struct ps_slice){*list, (uint32_t)length};
    *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
    return true;
}

/* Returns whether an item of the list is this word. Ignores case. */
static inline bool ps_list_has(const char *list, const char *separators, const char *word, size_t length)
{
    struct ps_slice item;
    while (ps_list_next(&list, separators, &item))
        if (item.length == length && strncasecmp(item.data, word, length) == 0)
            return true;
    return false;
}
