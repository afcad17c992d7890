/* Bytes from the pipe of a Java host, as the agent reads them: messages one after the other; the numbers that they report
 * become metrics. */
#include "core/watch/metrics/foreign.h"
#include "core/watch/page.h"
#include "stages/lib/java/figures.h"
#include "stages/lib/java/exchange/message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_java_message message;
    char again[PS_JAVA_MESSAGE_BYTES_MAX];
    size_t at = 0, used = 0;
    while (ps_java_message_parse((const char *)data + at, size - at, &message, &used) == PS_JAVA_PARSED) {
        PS_ASSERT(used >= sizeof(struct ps_java_head) && used <= PS_JAVA_MESSAGE_BYTES_MAX &&
                  used <= size - at);
        PS_ASSERT(message.number_count <= PS_JAVA_NUMBERS_MAX);
        PS_ASSERT(message.text_length < sizeof message.text && message.text[message.text_length] == '\0');
        if (strlen(message.text) == message.text_length) {
            struct ps_java_head head = {
                .type = message.type, .link = message.link, .number_count = message.number_count};
            PS_ASSERT(ps_java_message_write(again, &head, message.numbers, message.text) == used);
            PS_ASSERT(memcmp(again, data + at, used) == 0);
        }
        if (message.link == 0)
            ps_java_figures_take(&message, 0);
        at += used;
    }
    struct ps_page page = {0};
    ps_foreign_prometheus(&page);
    ps_page_fini(&page);
    ps_java_figures_clear();
    return 0;
}
