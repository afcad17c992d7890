#include "stages/lib/java/exchange/message.h"

#include <string.h>

enum ps_java_parse ps_java_message_parse(const char *bytes, size_t length, struct ps_java_message *message,
                                         size_t *used)
{
    struct ps_java_head head;
    if (length < sizeof head)
        return PS_JAVA_PARTIAL;
    memcpy(&head, bytes, sizeof head);
    if (head.length > PS_JAVA_MESSAGE_BYTES_MAX || head.number_count > PS_JAVA_NUMBERS_MAX ||
        head.length < sizeof head + head.number_count * sizeof(uint64_t))
        return PS_JAVA_MALFORMED;
    if (length < head.length)
        return PS_JAVA_PARTIAL;
    size_t numbers = head.number_count * sizeof(uint64_t);
    *used = head.length;
    message->type = head.type;
    message->link = head.link;
    message->number_count = head.number_count;
    message->text_length = (uint32_t)(head.length - sizeof head - numbers);
    memcpy(message->numbers, bytes + sizeof head, numbers);
    memcpy(message->text, bytes + sizeof head + numbers, message->text_length);
    message->text[message->text_length] = '\0'; /* there is room: the head took some */
    return PS_JAVA_PARSED;
}

uint32_t ps_java_message_write(char *to, const struct ps_java_head *head, const uint64_t *numbers,
                               const char *text)
{
    struct ps_java_head written = *head;
    uint32_t bytes = head->number_count * (uint32_t)sizeof *numbers;
    size_t length = text != NULL ? strlen(text) : 0;
    PS_ASSERT(head->number_count <= PS_JAVA_NUMBERS_MAX);
    if (length > PS_JAVA_MESSAGE_BYTES_MAX - sizeof written - bytes)
        length = PS_JAVA_MESSAGE_BYTES_MAX - sizeof written - bytes;
    written.length = (uint32_t)(sizeof written + bytes + length);
    memcpy(to, &written, sizeof written);
    if (bytes > 0)
        memcpy(to + sizeof written, numbers, bytes);
    if (length > 0)
        memcpy(to + sizeof written + bytes, text, length);
    return written.length;
}
