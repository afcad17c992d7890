#include "stages/lib/java/inbox.h"

#include <stdlib.h>
#include <string.h>

void ps_java_inbox_init(struct ps_java_inbox *inbox)
{
    inbox->bytes = inbox->first;
    inbox->size = sizeof inbox->first;
    inbox->from = inbox->to = 0;
}

void ps_java_inbox_fini(struct ps_java_inbox *inbox)
{
    if (inbox->bytes != inbox->first)
        free(inbox->bytes);
    ps_java_inbox_init(inbox);
}

/* Makes room for `length` bytes after the messages, and leaves half of the inbox free if it may grow: the messages are moved
 * with the lock of the caller, so not at each call. Returns false if the inbox would be too large, or there is no memory. */
static bool make_room(struct ps_java_inbox *inbox, size_t length)
{
    uint32_t used = inbox->to - inbox->from, size = inbox->size;
    while (size - used < length + size / 2 && size < PS_JAVA_INBOX_BYTES_MAX)
        size *= 2;
    if (size - used < length)
        return false;
    char *bytes = size > inbox->size ? malloc(size) : inbox->bytes;
    if (bytes == NULL)
        return false;
    memmove(bytes, inbox->bytes + inbox->from, used);
    if (bytes != inbox->bytes && inbox->bytes != inbox->first)
        free(inbox->bytes);
    inbox->bytes = bytes;
    inbox->size = size;
    inbox->from = 0;
    inbox->to = used;
    return true;
}

bool ps_java_inbox_put(struct ps_java_inbox *inbox, const char *bytes, size_t length)
{
    if (inbox->size - inbox->to < length && !make_room(inbox, length))
        return false;
    memcpy(inbox->bytes + inbox->to, bytes, length);
    inbox->to += (uint32_t)length;
    return true;
}

bool ps_java_inbox_take(struct ps_java_inbox *inbox, struct ps_java_message *message)
{
    size_t used = 0;
    if (ps_java_message_parse(inbox->bytes + inbox->from, inbox->to - inbox->from, message, &used) !=
        PS_JAVA_PARSED)
        return false;
    inbox->from += (uint32_t)used;
    if (ps_java_inbox_is_empty(inbox))
        ps_java_inbox_fini(inbox); /* the memory of a busy time is not kept */
    return true;
}
