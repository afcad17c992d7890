/* The SASL mechanism GSSAPI without a KDC: the test replaces the library (the functions of stages/lib/sasl/gssapi.h
 * below), so that it can give any answer of a server, even impossible ones. */
#include "stages/lib/sasl/sasl_gssapi.h"
#include "tests/support/support.h"

#include <stdio.h>

/* The linker finds these functions in place of the library's. */
#define STANDS_FOR(name) __asm__(#name)
void fake_token_free(struct ps_gss_token *token) STANDS_FOR(ps_gss_token_free);
void fake_close(struct ps_gss_context *context) STANDS_FOR(ps_gss_context_close);
enum ps_gss_result fake_step(struct ps_gss_context *context, const void *bytes, size_t length,
                             struct ps_gss_token *out, char *reason) STANDS_FOR(ps_gss_context_step);
bool fake_wrap(struct ps_gss_context *context, bool secret, const void *bytes, size_t length,
               struct ps_gss_token *out, char *reason) STANDS_FOR(ps_gss_context_wrap);
bool fake_unwrap(struct ps_gss_context *context, const void *bytes, size_t length, struct ps_gss_token *out,
                 char *reason) STANDS_FOR(ps_gss_context_unwrap);
size_t fake_wrap_limit(struct ps_gss_context *context, bool secret, size_t length)
    STANDS_FOR(ps_gss_context_wrap_limit);

static enum ps_gss_result next_result;
static size_t next_token, wrap_limit;
static bool wrap_fails, unwrap_fails, wrapped_secretly;
static unsigned open_contexts;

static struct ps_gss_token make_token(const void *bytes, size_t length)
{
    struct ps_gss_token token = {.length = length};
    if (length > 0) {
        token.bytes = malloc(length);
        memcpy(token.bytes, bytes, length);
    }
    return token;
}

void fake_token_free(struct ps_gss_token *token)
{
    free(token->bytes);
    *token = (struct ps_gss_token){.length = 0};
}

void fake_close(struct ps_gss_context *context)
{
    open_contexts--;
    free(context);
}

enum ps_gss_result fake_step(struct ps_gss_context *context, const void *bytes, size_t length,
                             struct ps_gss_token *out, char *reason)
{
    static const char text[] = "token";
    *out = make_token(text, next_result == PS_GSS_FAILED ? 0 : next_token);
    snprintf(reason, PS_GSS_REASON_BYTES, "the library's reason");
    return next_result;
}

/* A protected message is a letter and the text. */
bool fake_wrap(struct ps_gss_context *context, bool secret, const void *bytes, size_t length,
               struct ps_gss_token *out, char *reason)
{
    char message[512] = "w";
    assert_true(length < sizeof message);
    memcpy(message + 1, bytes, length);
    *out = make_token(message, wrap_fails ? 0 : length + 1);
    wrapped_secretly = secret;
    snprintf(reason, PS_GSS_REASON_BYTES, "cannot wrap");
    return !wrap_fails;
}

bool fake_unwrap(struct ps_gss_context *context, const void *bytes, size_t length, struct ps_gss_token *out,
                 char *reason)
{
    const char *message = bytes;
    bool good = !unwrap_fails && length > 0 && message[0] == 'w';
    *out = make_token(message + 1, good ? length - 1 : 0);
    snprintf(reason, PS_GSS_REASON_BYTES, "cannot unwrap");
    return good;
}

size_t fake_wrap_limit(struct ps_gss_context *context, bool secret, size_t length)
{
    return wrap_limit;
}

static struct ps_sasl *open_one(unsigned protection)
{
    struct ps_gss_token first = make_token("first", 5);
    struct ps_gss_context *context = calloc(1, 1); /* its contents are not used */
    open_contexts++;
    next_result = PS_GSS_ESTABLISHED;
    next_token = 0;
    wrap_limit = 1000;
    wrap_fails = unwrap_fails = false;
    return ps_sasl_gssapi_open(context, &first, protection);
}

static enum ps_sasl_result step(struct ps_sasl *sasl, const char *bytes, size_t length, size_t wanted)
{
    struct ps_sasl_token reply;
    enum ps_sasl_result result = ps_sasl_step(sasl, bytes, length, &reply);
    assert_int_equal(reply.length, result == PS_SASL_FAILED ? 0 : wanted);
    ps_sasl_token_free(&reply);
    return result;
}

/* Returns a session that expects the server's offer next. */
static struct ps_sasl *open_at_offer(unsigned protection)
{
    struct ps_sasl *sasl = open_one(protection);
    assert_int_equal(step(sasl, "", 0, 5), PS_SASL_MORE);
    assert_int_equal(step(sasl, "token", 5, 0), PS_SASL_MORE);
    return sasl;
}

struct offer_case {
    const char *what, *offer;
    size_t length;
    unsigned allowed, wanted; /* 0: refused */
    const char *reason;
};

#define ANY PS_SASL_STRONGEST
#define PRIVATE PS_SASL_PREFER(PS_SASL_PRIVACY, 0, 0)

static const struct offer_case offers[] = {
    {"all levels", "w\7\1\0\0", 5, ANY, PS_SASL_PRIVACY, NULL},
    {"no secrecy", "w\3\1\0\0", 5, ANY, PS_SASL_INTEGRITY, NULL},
    {"no protection", "w\1\0\0\0", 5, ANY, PS_SASL_AUTHENTICATION, NULL},
    {"levels that nobody knows, too", "w\xf9\0\0\0", 5, ANY, PS_SASL_AUTHENTICATION, NULL},
    {"only levels that nobody knows", "w\xf8\1\0\0", 5, ANY, 0, "none of the levels"},
    {"no level", "w\0\1\0\0", 5, ANY, 0, "none of the levels"},
    {"less than is wanted", "w\3\1\0\0", 5, PRIVATE, 0, "none of the levels"},
    {"three bytes", "w\7\1\0", 4, ANY, 0, "four bytes"},
    {"five bytes", "w\7\1\0\0\0", 6, ANY, 0, "four bytes"},
    {"nothing", "w", 1, ANY, 0, "four bytes"},
    {"not protected", "\7\1\0\0", 4, ANY, 0, "cannot unwrap"},
    {"empty", "", 0, ANY, 0, "cannot unwrap"},
};

static void test_offers(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(offers); i++) {
        const struct offer_case *one = &offers[i];
        struct ps_sasl *sasl = open_at_offer(one->allowed);
        enum ps_sasl_result result = step(sasl, one->offer, one->length, 5);
        if (result != (one->wanted != 0 ? PS_SASL_DONE : PS_SASL_FAILED) ||
            (one->wanted != 0 ? sasl->protection != one->wanted : strstr(sasl->reason, one->reason) == NULL))
            fail_msg("%s: result %d, level %u, %s", one->what, (int)result, sasl->protection, sasl->reason);
        assert_false(wrapped_secretly && result == PS_SASL_DONE); /* the answer is not encrypted */
        /* no later message is accepted */
        assert_int_equal(step(sasl, "w\7\1\0\0", 5, 5), PS_SASL_FAILED);
        if (one->wanted == 0)
            assert_non_null(strstr(sasl->reason, one->reason));
        ps_sasl_close(sasl);
    }
    assert_int_equal(open_contexts, 0);
}

/* A server that does not accept messages, and a library that cannot protect them. */
static void test_cannot(void **state)
{
    struct ps_sasl *sasl = open_at_offer(ANY);
    wrap_limit = 0;
    assert_int_equal(step(sasl, "w\7\0\0\0", 5, 0), PS_SASL_FAILED);
    assert_non_null(strstr(sasl->reason, "the limit of the server for a message is too small"));
    ps_sasl_close(sasl);
    sasl = open_at_offer(ANY);
    wrap_fails = true;
    assert_int_equal(step(sasl, "w\7\1\0\0", 5, 0), PS_SASL_FAILED);
    assert_non_null(strstr(sasl->reason, "cannot wrap"));
    ps_sasl_close(sasl);
    assert_int_equal(open_contexts, 0);
}

/* Each result of the library: more tokens, the last one with and without an answer, a refusal. */
static void test_tokens(void **state)
{
    struct ps_sasl *sasl = open_one(ANY);
    assert_int_equal(step(sasl, "", 0, 5), PS_SASL_MORE);
    next_result = PS_GSS_MORE;
    next_token = 3;
    assert_int_equal(step(sasl, "w\7\1\0\0", 5, 3), PS_SASL_MORE); /* an early offer is a token */
    next_result = PS_GSS_ESTABLISHED;
    assert_int_equal(step(sasl, "token", 5, 3), PS_SASL_MORE);
    assert_int_equal(step(sasl, "token", 5, 0), PS_SASL_FAILED); /* a token instead of the offer */
    ps_sasl_close(sasl);
    sasl = open_one(ANY);
    assert_int_equal(step(sasl, "", 0, 5), PS_SASL_MORE);
    next_result = PS_GSS_FAILED;
    assert_int_equal(step(sasl, "token", 5, 0), PS_SASL_FAILED);
    assert_string_equal(sasl->reason, "Kerberos: the library's reason");
    next_result = PS_GSS_ESTABLISHED; /* already refused: the right token comes too late */
    assert_int_equal(step(sasl, "token", 5, 0), PS_SASL_FAILED);
    assert_int_equal(step(sasl, "w\7\1\0\0", 5, 0), PS_SASL_FAILED);
    ps_sasl_close(sasl);
    assert_int_equal(open_contexts, 0);
}

static void test_messages(void **state)
{
    static const char *const choices[] = {"w\7\1\0\0", "w\3\1\0\0"};
    for (size_t i = 0; i < PS_COUNT_OF(choices); i++) {
        struct ps_sasl *sasl = open_at_offer(ANY);
        uint8_t message[64];
        size_t length = 5;
        assert_int_equal(step(sasl, choices[i], 5, 5), PS_SASL_DONE);
        assert_int_equal(sasl->wrap_text_max, 1000);
        assert_int_equal(ps_sasl_wrap(sasl, "text", 4, message, sizeof message), 5);
        assert_true(wrapped_secretly == (i == 0));
        assert_true(ps_sasl_unwrap(sasl, message, &length));
        assert_int_equal(length, 4);
        assert_memory_equal(message, "text", 4);
        length = 4;
        assert_false(ps_sasl_unwrap(sasl, message, &length)); /* it is a text, not a message */
        assert_string_equal(sasl->reason, "Kerberos: cannot unwrap");
        assert_int_equal(ps_sasl_wrap(sasl, "text", 4, message, 4), 0); /* one byte too few */
        wrap_fails = true;
        assert_int_equal(ps_sasl_wrap(sasl, "text", 4, message, sizeof message), 0);
        assert_string_equal(sasl->reason, "Kerberos: cannot wrap");
        ps_sasl_close(sasl);
    }
    assert_int_equal(open_contexts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_cannot),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
