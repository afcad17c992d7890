/* Lines of IRC servers, and bodies that are sent to a channel: nothing is read outside them, a line that is sent contains
 * no line end, and the text sent is the body. The first byte decides how bodies are split. */
#include "stages/lib/irc/message.h"
#include "stages/lib/irc/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(const char *bytes, size_t length)
{
    struct ps_irc_message message;
    if (!ps_irc_message_read(bytes, length, &message))
        return;
    PS_ASSERT(message.command.length > 0 && message.count <= PS_IRC_PARAMETERS_MAX);
    for (unsigned i = 0; i < message.count; i++)
        PS_ASSERT(message.parameters[i].data >= bytes &&
                  message.parameters[i].data + message.parameters[i].length <= bytes + length);
    (void)ps_irc_same_name(message.nick, "flume");
    (void)ps_irc_last_parameter(&message);
}

static void say(const struct ps_irc_text *text, struct ps_regex_scratch *scratch, const char *body,
                size_t length)
{
    char to[512];
    size_t offset = 0, before = 0;
    struct ps_slice line;
    while (ps_irc_text_next(text, scratch, body, length, &offset, &line)) {
        PS_ASSERT(line.length > 0 && line.length <= text->bytes_max);
        PS_ASSERT(line.data >= body + before && line.data + line.length <= body + offset && offset <= length);
        before = offset;
        size_t put = ps_irc_text_put(to, line);
        PS_ASSERT(memchr(to, '\n', put) == NULL && memchr(to, '\r', put) == NULL &&
                  memchr(to, 0, put) == NULL);
    }
    PS_ASSERT(text->separator != NULL || before == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const separators[] = {"\n", "[;,]+", "\\s*"};
    static struct ps_regex *regexes[PS_COUNT_OF(separators)];
    static struct ps_regex_scratch *scratch;
    if (size == 0 || size > 4096)
        return 0;
    for (size_t i = 0; scratch == NULL && i < PS_COUNT_OF(separators); i++)
        regexes[i] = ps_regex_create(separators[i], 0, PS_REGEX_FIND, NULL);
    if (scratch == NULL)
        scratch = ps_regex_scratch_create();
    char *bytes = malloc(size);
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    read_message(bytes, size - 1);
    struct ps_irc_text text = {.bytes_max = 4 + (data[0] >> 2) * 4U};
    text.separator = data[0] % 4 < PS_COUNT_OF(separators) ? regexes[data[0] % 4] : NULL;
    say(&text, scratch, bytes, size - 1);
    free(bytes);
    return 0;
}
