/* Cache files of compiled databases (regex/compile/cache/cache.h), with the compiler's answers in them. The
 * first byte decides whether the checksum at the end is corrected, which no mutation does by itself. An
 * accepted file has the requested contents. */
#include <stdlib.h>
#include <string.h>

#include "regex/compile/cache/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static const struct ps_hyperscan_expression expressions[] = {{.text = "foo"},
                                                                 {.text = "b[a-z]r", .flags = 1}};
    static const char platform[] = "a machine";
    struct ps_bytes key = {0}, file = {0};
    struct ps_compile_answer answer;
    if (length == 0 || length > 100000)
        return 0;
    ps_compile_key_write(&key, expressions, 2);
    ps_bytes_put(&file, data + 1, length - 1);
    if ((data[0] & 1) != 0 && file.length >= 8) {
        file.length -= 8;
        ps_bytes_put_u64(&file, ps_bytes_hash(file.data, file.length));
    }
    const char *why = ps_cache_read(file.data, file.length, &key, platform, 2, &answer);
    if (why == NULL) {
        struct ps_bytes again = {0};
        struct ps_compile_answer read;
        PS_ASSERT(answer.built.outcomes[0] <= PS_HYPERSCAN_LEFT_OUT);
        ps_cache_write(&again, &key, platform, 2, &answer);
        PS_ASSERT(ps_cache_read(again.data, again.length, &key, platform, 2, &read) == NULL);
        PS_ASSERT(read.built.length == answer.built.length &&
                  memcmp(read.built.outcomes, answer.built.outcomes, 2) == 0);
        ps_compile_answer_fini(&read);
        ps_bytes_fini(&again);
    } else {
        PS_ASSERT(answer.built.outcomes == NULL && answer.built.bytes == NULL);
    }
    ps_compile_answer_fini(&answer);
    if (ps_compile_answer_read(file.data, file.length, 2, &answer, NULL) == PS_OK)
        PS_ASSERT(answer.failed == UINT32_MAX || answer.failed < 2);
    ps_compile_answer_fini(&answer);
    ps_bytes_fini(&file);
    ps_bytes_fini(&key);
    return 0;
}
