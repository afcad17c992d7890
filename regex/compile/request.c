/* The compiler's requests and answers as bytes. Reading never trusts a count or a length. Pure. */
#include "regex/compile/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAGIC UINT64_C(0x3252514352535350) /* "PSSRCQR2" */
#define ANSWER_MAGIC UINT64_C(0x31534E4152535350)  /* "PSSRANS1" */
#define EXPRESSION_BYTES_MIN 16U                   /* flags, states, length, empty text */

void ps_compile_key_write(struct ps_bytes *key, const struct ps_hyperscan_expression *expressions,
                          uint32_t count)
{
    ps_bytes_put_u32(key, count);
    for (uint32_t i = 0; i < count; i++) {
        ps_bytes_put_u32(key, expressions[i].flags);
        ps_bytes_put_u32(key, expressions[i].states);
        ps_bytes_put_block(key, expressions[i].text, strlen(expressions[i].text));
    }
}

void ps_compile_request_write(struct ps_bytes *request, const struct ps_compile_limits *limits,
                              const struct ps_bytes *key)
{
    ps_bytes_put_u64(request, REQUEST_MAGIC);
    ps_bytes_put_u64(request, limits->memory_bytes);
    ps_bytes_put_u64(request, limits->time_ms);
    ps_bytes_put_u32(request, limits->idle);
    ps_bytes_put(request, key->data, key->length);
}

static enum ps_status expressions_read(struct ps_bytes_reader *reader, struct ps_compile_request *request,
                                       struct ps_err *err)
{
    /* The texts with their terminators need less room than the bytes from which they are read. */
    char *to = request->texts =
        ps_must_alloc(1, (size_t)(reader->end - reader->at) + 1, "a request of the compiler");
    request->expressions =
        ps_must_alloc(request->count + 1, sizeof *request->expressions, "a request of the compiler");
    for (uint32_t i = 0; i < request->count; i++) {
        size_t length;
        uint32_t flags = ps_bytes_take_u32(reader), states = ps_bytes_take_u32(reader);
        const unsigned char *text = ps_bytes_take_block(reader, &length);
        if (reader->failed)
            return ps_err_set(err, "expression %u is cut off", i);
        if (memchr(text, '\0', length) != NULL || (flags & ~(uint32_t)PS_HYPERSCAN_FLAGS_ALL) != 0)
            return ps_err_set(err, "expression %u has a NUL byte or unknown flags", i);
        request->expressions[i] =
            (struct ps_hyperscan_expression){.text = to, .flags = flags, .states = states};
        memcpy(to, text, length);
        to[length] = '\0';
        to += length + 1;
    }
    if (reader->at != reader->end)
        return ps_err_set(err, "something follows the last expression");
    return PS_OK;
}

enum ps_status ps_compile_request_read(const unsigned char *bytes, size_t length,
                                       struct ps_compile_request *request, struct ps_err *err)
{
    struct ps_bytes_reader reader = {bytes, bytes + length, false};
    *request = (struct ps_compile_request){0};
    if (ps_bytes_take_u64(&reader) != REQUEST_MAGIC)
        return ps_err_set(err, "this is not a compile request");
    request->limits.memory_bytes = ps_bytes_take_u64(&reader);
    request->limits.time_ms = ps_bytes_take_u64(&reader);
    request->limits.idle = ps_bytes_take_u32(&reader) != 0;
    request->count = ps_bytes_take_u32(&reader);
    if (reader.failed || request->count > PS_COMPILE_EXPRESSIONS_MAX ||
        request->count > (size_t)(reader.end - reader.at) / EXPRESSION_BYTES_MIN) {
        request->count = 0;
        return ps_err_set(err, "the request is cut off, or has too many expressions");
    }
    if (expressions_read(&reader, request, err) == PS_OK)
        return PS_OK;
    ps_compile_request_fini(request);
    return PS_FAIL;
}

void ps_compile_request_fini(struct ps_compile_request *request)
{
    free(request->expressions);
    free(request->texts);
    *request = (struct ps_compile_request){0};
}

void ps_compile_answer_write(struct ps_bytes *bytes, const struct ps_compile_answer *answer, uint32_t count)
{
    bool built = answer->built.outcomes != NULL;
    ps_bytes_put_u64(bytes, ANSWER_MAGIC);
    ps_bytes_put_u32(bytes, built);
    ps_bytes_put_u32(bytes, answer->failed);
    ps_bytes_put_block(bytes, answer->error, built ? 0 : strlen(answer->error));
    ps_bytes_put_block(bytes, answer->built.outcomes, built ? count : 0);
    ps_bytes_put_block(bytes, answer->built.bytes, built ? answer->built.length : 0);
}

static bool outcomes_known(const unsigned char *outcomes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (outcomes[i] > PS_HYPERSCAN_LEFT_OUT)
            return false;
    }
    return true;
}

static unsigned char *copy(const unsigned char *from, size_t length)
{
    unsigned char *to = ps_must_alloc(1, length + 1, "a request of the compiler");
    if (length > 0)
        memcpy(to, from, length);
    return to;
}

enum ps_status ps_compile_answer_read(const unsigned char *bytes, size_t length, uint32_t count,
                                      struct ps_compile_answer *answer, struct ps_err *err)
{
    struct ps_bytes_reader reader = {bytes, bytes + length, false};
    size_t error_length, outcomes_length, database_length;
    *answer = (struct ps_compile_answer){.failed = UINT32_MAX};
    uint64_t magic = ps_bytes_take_u64(&reader);
    bool built = ps_bytes_take_u32(&reader) == 1;
    uint32_t failed = ps_bytes_take_u32(&reader);
    const unsigned char *error = ps_bytes_take_block(&reader, &error_length);
    const unsigned char *outcomes = ps_bytes_take_block(&reader, &outcomes_length);
    const unsigned char *database = ps_bytes_take_block(&reader, &database_length);
    if (reader.failed || reader.at != reader.end || magic != ANSWER_MAGIC)
        return ps_err_set(err, "the compiler's answer is cut off or damaged");
    answer->failed = failed < count ? failed : UINT32_MAX;
    if (!built) {
        snprintf(answer->error, sizeof answer->error, "%.*s",
                 (int)(error_length > 1000 ? 1000 : error_length), (const char *)error);
        return PS_OK;
    }
    if (outcomes_length != count || !outcomes_known(outcomes, outcomes_length))
        return ps_err_set(err, "the compiler's answer does not fit the request");
    answer->built.outcomes = copy(outcomes, outcomes_length);
    if (database_length > 0) {
        answer->built.bytes = copy(database, database_length);
        answer->built.length = database_length;
    }
    return PS_OK;
}

void ps_compile_answer_fini(struct ps_compile_answer *answer)
{
    ps_hyperscan_built_fini(&answer->built);
}
