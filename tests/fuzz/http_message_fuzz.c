/* Requests of source http: the outcome is the same for any pieces in which the bytes come; a complete request lies
 * within the bytes and the limits; a chunked one has no more content than was announced. */
#include <stdlib.h>
#include <string.h>

#include "stages/lib/http/content_type.h"
#include "stages/lib/http/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ps_http_limits limits = {.head_bytes_max = 512, .body_bytes_max = 2048};

/* Reads a request in pieces; returns how it ended. */
static enum ps_http_read read_pieces(struct ps_http_message *message, const char *data, uint32_t length,
                                     uint32_t piece)
{
    enum ps_http_read read = PS_HTTP_PART;
    ps_http_message_init(message);
    for (uint32_t end = 0; end < length && read == PS_HTTP_PART;) {
        end = length - end < piece ? length : end + piece;
        read = ps_http_message_read(message, &limits, data, end);
    }
    return read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_http_message whole, pieces;
    if (size < 1 || size > 65536)
        return 0;
    uint32_t length = (uint32_t)size - 1, piece = data[0] % 32 + 1U;
    char *text = malloc(length > 0 ? length : 1);
    PS_ASSERT(text != NULL);
    memcpy(text, data + 1, length);
    enum ps_http_read first = read_pieces(&whole, text, length, UINT32_MAX);
    enum ps_http_read second = read_pieces(&pieces, text, length, piece);
    PS_ASSERT(first == second);
    if (first == PS_HTTP_COMPLETE) {
        PS_ASSERT(whole.length == pieces.length && whole.length <= length);
        PS_ASSERT(whole.length <= ps_http_message_bytes_max(&limits));
        PS_ASSERT(whole.body_length == pieces.body_length && whole.body_length <= limits.body_bytes_max);
        PS_ASSERT(whole.url.at == pieces.url.at && whole.url.length == pieces.url.length);
        PS_ASSERT(whole.content_type.length == pieces.content_type.length);
        struct ps_slice charset = {text, 0};
        (void)ps_content_type_charset(text + whole.content_type.at, whole.content_type.length, &charset);
        PS_ASSERT(charset.data >= text && charset.data + charset.length <= text + length);
        if (whole.chunked && whole.body_length > 0) {
            char *body = malloc(whole.body_length);
            PS_ASSERT(body != NULL);
            ps_http_message_unchunk(&whole, text, body);
            ps_http_message_unchunk(&pieces, text, text + pieces.body_at); /* in place */
            PS_ASSERT(memcmp(body, text + pieces.body_at, pieces.body_length) == 0);
            free(body);
        }
    } else if (first == PS_HTTP_BAD) {
        PS_ASSERT(whole.status == pieces.status && whole.status >= 400 && whole.reason != NULL);
    }
    free(text);
    return 0;
}
