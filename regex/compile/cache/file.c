/* The contents of a cache file. Reading compares everything and trusts nothing. Pure. */
#include "regex/compile/cache/cache.h"

#include <string.h>

#define CACHE_MAGIC UINT64_C(0x4244534853504350)
#define CACHE_VERSION 1U

void ps_cache_write(struct ps_bytes *bytes, const struct ps_bytes *key, const char *platform, uint32_t count,
                    const struct ps_compile_answer *answer)
{
    struct ps_bytes inner = {0};
    ps_bytes_put_u64(bytes, CACHE_MAGIC);
    ps_bytes_put_u32(bytes, CACHE_VERSION);
    ps_bytes_put_block(bytes, platform, strlen(platform));
    ps_bytes_put_block(bytes, key->data, key->length);
    ps_compile_answer_write(&inner, answer, count);
    ps_bytes_put_block(bytes, inner.data, inner.length);
    ps_bytes_put_u64(bytes, ps_bytes_hash(bytes->data, bytes->length));
    ps_bytes_fini(&inner);
}

static bool same(const unsigned char *block, size_t length, const void *data, size_t data_length)
{
    return length == data_length && (length == 0 || memcmp(block, data, length) == 0);
}

const char *ps_cache_read(const unsigned char *bytes, size_t length, const struct ps_bytes *key,
                          const char *platform, uint32_t count, struct ps_compile_answer *answer)
{
    struct ps_bytes_reader reader = {bytes, bytes + length, false};
    size_t platform_length, key_length, answer_length;
    *answer = (struct ps_compile_answer){.failed = UINT32_MAX};
    if (ps_bytes_take_u64(&reader) != CACHE_MAGIC)
        return "it is not a cache file";
    if (ps_bytes_take_u32(&reader) != CACHE_VERSION)
        return "it was made by another version of penstock";
    const unsigned char *its_platform = ps_bytes_take_block(&reader, &platform_length);
    const unsigned char *its_key = ps_bytes_take_block(&reader, &key_length);
    const unsigned char *its_answer = ps_bytes_take_block(&reader, &answer_length);
    const unsigned char *end = reader.at;
    uint64_t hash = ps_bytes_take_u64(&reader);
    if (reader.failed || reader.at != reader.end)
        return "it is cut off";
    if (hash != ps_bytes_hash(bytes, (size_t)(end - bytes)))
        return "it is damaged";
    if (!same(its_platform, platform_length, platform, strlen(platform)))
        return "it was made on another machine or by another version of Hyperscan";
    if (!same(its_key, key_length, key->data, key->length))
        return "it was made for other expressions";
    if (ps_compile_answer_read(its_answer, answer_length, count, answer, NULL) != PS_OK ||
        answer->built.outcomes == NULL) {
        ps_compile_answer_fini(answer);
        return "it is damaged";
    }
    return NULL;
}
