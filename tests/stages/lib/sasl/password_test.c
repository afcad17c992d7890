/* PLAIN and SCRAM: the examples of the RFCs, and servers that answer wrongly. */
#include "stages/lib/sasl/password.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

/* RFC 7677, section 3. */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SERVER_FIRST "r=" NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF "c=biws,r=" NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_LAST "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct ps_sasl *open_scram(const char *name, const char *password)
{
    const struct ps_password_settings settings = {.name = name, .password = password, .nonce = NONCE};
    struct ps_sasl *sasl = ps_password_open("scram-sha-256", &settings);
    assert_non_null(sasl);
    return sasl;
}

/* One step; the reply must be this text. */
static void expect(struct ps_sasl *sasl, const char *challenge, enum ps_sasl_result result,
                   const char *wanted)
{
    struct ps_sasl_token reply;
    enum ps_sasl_result got = ps_sasl_step(sasl, challenge, strlen(challenge), &reply);
    if (got != result)
        fail_msg("%s", sasl->reason);
    assert_int_equal(reply.length, strlen(wanted));
    if (reply.length > 0)
        assert_memory_equal(reply.bytes, wanted, reply.length);
    ps_sasl_token_free(&reply);
}

static void refused(struct ps_sasl *sasl, const char *challenge, const char *reason)
{
    struct ps_sasl_token reply;
    assert_int_equal(ps_sasl_step(sasl, challenge, strlen(challenge), &reply), PS_SASL_FAILED);
    assert_int_equal(reply.length, 0);
    if (strstr(sasl->reason, reason) == NULL)
        fail_msg("%s", sasl->reason);
    /* any later message fails */
    assert_int_equal(ps_sasl_step(sasl, SERVER_LAST, strlen(SERVER_LAST), &reply), PS_SASL_FAILED);
    ps_sasl_close(sasl);
}

static struct ps_sasl *named(void)
{
    struct ps_sasl *sasl = open_scram("user", "pencil");
    expect(sasl, "", PS_SASL_MORE, "n,,n=user,r=" NONCE);
    return sasl;
}

static struct ps_sasl *proved(void)
{
    struct ps_sasl *sasl = named();
    expect(sasl, SERVER_FIRST, PS_SASL_MORE, PROOF);
    return sasl;
}

static void test_example(void **)
{
    struct ps_sasl *sasl = proved();
    expect(sasl, SERVER_LAST, PS_SASL_DONE, "");
    assert_int_equal(sasl->protection, PS_SASL_AUTHENTICATION);
    refused(sasl, SERVER_LAST, "more messages than the mechanism has");
}

static void test_names(void **)
{
    struct ps_sasl *sasl = open_scram("a,b=c,,", "");
    expect(sasl, "", PS_SASL_MORE, "n,,n=a=2Cb=3Dc=2C=2C,r=" NONCE);
    ps_sasl_close(sasl);
    char most[PS_PASSWORD_BYTES_MAX + 2];
    memset(most, ',', sizeof most - 1);
    most[sizeof most - 1] = '\0';
    const struct ps_password_settings longer = {.name = most, .password = ""},
                                      password = {.name = "", .password = most};
    assert_null(ps_password_open("SCRAM-SHA-512", &longer));
    assert_null(ps_password_open("PLAIN", &password));
    most[PS_PASSWORD_BYTES_MAX] = '\0';
    sasl = open_scram(most, most);
    struct ps_sasl_token reply;
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_MORE);
    assert_int_equal(reply.length, strlen("n,,n=,r=" NONCE) + 3 * PS_PASSWORD_BYTES_MAX);
    ps_sasl_token_free(&reply);
    assert_int_equal(ps_sasl_step(sasl, SERVER_FIRST, strlen(SERVER_FIRST), &reply), PS_SASL_MORE);
    ps_sasl_token_free(&reply);
    ps_sasl_close(sasl);
}

static void test_wrong_first_message(void **)
{
    static const char *const cases[][2] = {
        {"", "cannot be read"},
        {"r=" NONCE "x", "cannot be read"},
        {"m=ext,r=" NONCE "x,s=QUJD,i=4096", "cannot be read"},
        {"r=" NONCE "x,s=QUJD", "cannot be read"},
        {"r=" NONCE ",s=QUJD,i=4096", "does not continue ours"}, /* the server's nonce adds nothing to ours */
        {"r=rOprNGfwEbeRWgbNEkqP,s=QUJD,i=4096", "does not continue ours"},
        {"r=rOpr,s=QUJD,i=4096", "does not continue ours"},
        {"r=" NONCE "x,s=,i=4096", "not Base64"},
        {"r=" NONCE "x,s=Q!JD,i=4096", "not Base64"},
        {"r=" NONCE "x,s=QUJD,i=4095", "iterations"},
        {"r=" NONCE "x,s=QUJD,i=131073", "iterations"},
        {"r=" NONCE "x,s=QUJD,i=99999999999999999999", "iterations"},
        {"r=" NONCE "x,s=QUJD,i=", "iterations"},
        {"r=" NONCE "x,s=QUJD,i=4096 ", "iterations"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        refused(named(), cases[i][0], cases[i][1]);
    static const char most[] = "r=" NONCE "x,s=QUJD,i=131072";
    struct ps_sasl *patient = named();
    struct ps_sasl_token proof;
    assert_int_equal(ps_sasl_step(patient, most, strlen(most), &proof), PS_SASL_MORE);
    ps_sasl_token_free(&proof);
    ps_sasl_close(patient);
    char message[6000];
    snprintf(message, sizeof message, "r=" NONCE "%0300d,s=QUJD,i=4096", 1);
    refused(named(), message, "does not continue ours");
    snprintf(message, sizeof message, "r=" NONCE "x,s=%01400d,i=4096", 1);
    refused(named(), message, "too long");
    snprintf(message, sizeof message, "r=" NONCE "x,s=QUJD,i=4096,%05000d", 1);
    refused(named(), message, "cannot be read");
    struct ps_sasl *sasl = named();
    struct ps_sasl_token reply;
    assert_int_equal(ps_sasl_step(sasl, SERVER_FIRST "\0", sizeof SERVER_FIRST, &reply), PS_SASL_FAILED);
    ps_sasl_close(sasl);
}

static void test_wrong_last_message(void **)
{
    refused(proved(), "", "does not know the password");
    refused(proved(), "v=", "does not know the password");
    refused(proved(), "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "does not know the password");
    refused(proved(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9", "does not know the password");
    refused(proved(), "e=invalid-proof", "refuses: invalid-proof");
}

/* Two clients have different nonces, without a comma. */
static void test_random_nonce(void **)
{
    struct ps_sasl_token replies[2];
    for (size_t i = 0; i < 2; i++) {
        const struct ps_password_settings settings = {.name = "u", .password = "p"};
        struct ps_sasl *sasl = ps_password_open("SCRAM-SHA-512", &settings);
        assert_non_null(sasl);
        assert_int_equal(ps_sasl_step(sasl, "", 0, &replies[i]), PS_SASL_MORE);
        ps_sasl_close(sasl);
        assert_int_equal(replies[i].length, strlen("n,,n=u,r=") + 32);
        assert_null(memchr(replies[i].bytes + 9, ',', replies[i].length - 9));
    }
    assert_memory_not_equal(replies[0].bytes, replies[1].bytes, replies[0].length);
    ps_sasl_token_free(&replies[0]);
    ps_sasl_token_free(&replies[1]);
}

/* RFC 4616, section 4. */
static void test_plain(void **)
{
    const struct ps_password_settings settings = {.name = "tim", .password = "tanstaaftanstaaf"};
    struct ps_sasl *sasl = ps_password_open("PLAIN", &settings);
    struct ps_sasl_token reply;
    assert_int_equal(ps_sasl_step(sasl, "", 0, &reply), PS_SASL_DONE);
    assert_int_equal(reply.length, 21);
    assert_memory_equal(reply.bytes, "\0tim\0tanstaaftanstaaf", 21);
    ps_sasl_token_free(&reply);
    assert_int_equal(ps_sasl_step(sasl, "x", 1, &reply), PS_SASL_FAILED);
    ps_sasl_close(sasl);
}

static void test_mechanisms(void **)
{
    const struct ps_password_settings settings = {.name = "u", .password = "p"};
    assert_true(ps_password_mechanism_is_known("plain"));
    assert_true(ps_password_mechanism_is_known("SCRAM-SHA-256"));
    assert_true(ps_password_mechanism_is_known("SCRAM-SHA-512"));
    assert_false(ps_password_mechanism_is_known("SCRAM-SHA-1"));
    assert_false(ps_password_mechanism_is_known("GSSAPI"));
    assert_null(ps_password_open("GSSAPI", &settings));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_wrong_first_message),
        cmocka_unit_test(test_wrong_last_message),
        cmocka_unit_test(test_random_nonce),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_mechanisms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
