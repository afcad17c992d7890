/* URLs of load and verify: parsing stays within its buffers, and every part is terminated text. */
#include <stdlib.h>
#include <string.h>

#include "bench/support/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    PS_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    struct ps_url url;
    struct ps_err err = {0};
    if (ps_url_parse(&url, text, &err) == PS_OK) {
        size_t total = strlen(url.scheme) + strlen(url.host) + strlen(url.port) + strlen(url.path);
        PS_ASSERT(total <= 3 * size + 8);
        PS_ASSERT(strlen(url.port) <= 5);
        ps_url_get(&url, "ack", "");
        (void)ps_url_check(&url, &err);
    } else {
        PS_ASSERT(err.length > 0);
    }
    ps_url_fini(&url);
    free(text);
    return 0;
}
