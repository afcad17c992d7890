#include "stages/lib/irc/message.h"

#include <string.h>
#include <strings.h>

/* Takes the bytes before the next blank, and moves *at past all following blanks. */
static struct ps_slice take_word(const char **at, const char *end)
{
    struct ps_slice word = {*at, 0};
    while (*at < end && **at != ' ')
        (*at)++;
    word.length = (uint32_t)(*at - word.data);
    while (*at < end && **at == ' ')
        (*at)++;
    return word;
}

static unsigned number_of(struct ps_slice word)
{
    unsigned number = 0;
    if (word.length != 3)
        return 0;
    for (uint32_t i = 0; i < word.length; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return 0;
        number = number * 10 + (unsigned)(word.data[i] - '0');
    }
    return number;
}

static struct ps_slice nick_of(struct ps_slice prefix)
{
    for (uint32_t i = 0; i < prefix.length; i++) {
        if (prefix.data[i] == '!' || prefix.data[i] == '@')
            prefix.length = i;
    }
    return prefix;
}

bool ps_irc_message_read(const char *line, size_t length, struct ps_irc_message *message)
{
    const char *at = line, *end = line + length;
    *message = (struct ps_irc_message){.nick = {line, 0}};
    if (length > UINT32_MAX)
        return false;
    if (at < end && *at == ':') {
        at++;
        message->nick = nick_of(take_word(&at, end));
    }
    message->command = take_word(&at, end);
    message->number = number_of(message->command);
    while (at < end && message->count < PS_IRC_PARAMETERS_MAX) {
        struct ps_slice *parameter = &message->parameters[message->count++];
        if (*at == ':' || message->count == PS_IRC_PARAMETERS_MAX) {
            at += *at == ':';
            *parameter = (struct ps_slice){at, (uint32_t)(end - at)};
            break;
        }
        *parameter = take_word(&at, end);
    }
    return message->command.length > 0;
}

bool ps_irc_is_command(const struct ps_irc_message *message, const char *command)
{
    return message->command.length == strlen(command) &&
           strncasecmp(message->command.data, command, message->command.length) == 0;
}

static char lower(char byte)
{
    static const char upper_case[] = "[]\\~", lower_case[] = "{}|^";
    const char *found = byte != '\0' ? strchr(upper_case, byte) : NULL;
    if (found != NULL)
        return lower_case[found - upper_case];
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

bool ps_irc_same_name(struct ps_slice left, const char *right)
{
    if (left.length != strlen(right))
        return false;
    for (uint32_t i = 0; i < left.length; i++) {
        if (lower(left.data[i]) != lower(right[i]))
            return false;
    }
    return true;
}

struct ps_slice ps_irc_last_parameter(const struct ps_irc_message *message)
{
    if (message->count == 0)
        return (struct ps_slice){"", 0};
    return message->parameters[message->count - 1];
}
