/* DIGEST-MD5: the example of RFC 2831, and what Java's own client and server sent each other (tests/stages/lib/sasl/data/digest_md5.txt;
 * each run of tests/real/digest_md5_test.sh has Java make another such file, which DIGEST_MD5_RECORD names). */
#include "stages/lib/sasl/digest_md5/digest_md5.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <stdio.h>

#define NAME "AAhibG9jayB0b2tlbg=="
#define SECRET "c2VjcmV0IG9mIGEgYmxvY2s="
#define ALL_LEVELS PS_SASL_STRONGEST

static const char rfc_challenge[] = "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\","
                                    "algorithm=md5-sess,charset=utf-8";
static const struct ps_digest_md5_settings rfc = {.name = "chris",
                                                  .secret = "secret",
                                                  .service = "imap",
                                                  .host = "elwood.innosoft.com",
                                                  .protection = ALL_LEVELS,
                                                  .cnonce = "OA6MHXh6VqTrRk"};
static const struct ps_digest_md5_settings usual = {.name = NAME,
                                                    .secret = SECRET,
                                                    .service = "hdfs",
                                                    .host = "0",
                                                    .protection = ALL_LEVELS,
                                                    .cnonce = "abc"};

static bool says(const struct ps_sasl_token *reply, const char *text)
{
    return memmem(reply->bytes, reply->length, text, strlen(text)) != NULL;
}

static enum ps_sasl_result step(struct ps_sasl *sasl, const char *challenge, struct ps_sasl_token *reply)
{
    return ps_sasl_step(sasl, challenge, strlen(challenge), reply);
}

static void test_rfc_example(void **state)
{
    struct ps_sasl_token reply;
    struct ps_sasl *sasl = ps_digest_md5_open(&rfc);
    assert_int_equal(step(sasl, rfc_challenge, &reply), PS_SASL_MORE);
    static const char wanted[] =
        "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,"
        "cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",maxbuf=65536,"
        "response=d388dad90d4bbd760a152321f2143af7,qop=auth";
    assert_int_equal(reply.length, sizeof wanted - 1);
    assert_memory_equal(reply.bytes, wanted, sizeof wanted - 1);
    ps_sasl_token_free(&reply);
    assert_int_equal(step(sasl, "rspauth=ea40f60335c427b5527b84dbabcdfffd", &reply), PS_SASL_DONE);
    assert_int_equal(reply.length, 0);
    assert_int_equal(sasl->protection, PS_SASL_AUTHENTICATION);
    assert_int_equal(step(sasl, "rspauth=ea40f60335c427b5527b84dbabcdfffd", &reply), PS_SASL_FAILED);
    ps_sasl_close(sasl);
}

/* A server that does not know the secret. */
static void test_false_server(void **state)
{
    static const char *const last[] = {"rspauth=ea40f60335c427b5527b84dbabcdfffe", "rspauth=ea40", "", "x=y",
                                       NULL};
    for (size_t i = 0; last[i] != NULL; i++) {
        struct ps_sasl_token reply;
        struct ps_sasl *sasl = ps_digest_md5_open(&rfc);
        assert_int_equal(step(sasl, rfc_challenge, &reply), PS_SASL_MORE);
        ps_sasl_token_free(&reply);
        assert_int_equal(step(sasl, last[i], &reply), PS_SASL_FAILED);
        assert_non_null(strstr(sasl->reason, "does not know the secret"));
        /* the right answer is too late */
        assert_int_equal(step(sasl, "rspauth=ea40f60335c427b5527b84dbabcdfffd", &reply), PS_SASL_FAILED);
        ps_sasl_close(sasl);
    }
}

static void test_bad_challenges(void **state)
{
    static const struct {
        const char *challenge, *reason;
    } cases[] = {
        {"", "no nonce"},
        {"realm=\"0\",algorithm=md5-sess", "no nonce"},
        {"nonce=\"a\"", "md5-sess"},
        {"nonce=\"a\",algorithm=md5", "md5-sess"},
        {"nonce=\"a\",nonce=\"b\",algorithm=md5-sess", "two values of nonce"},
        {"nonce=\"a\",nonce=\"a\",algorithm=md5-sess", "two values of nonce"},
        {"nonce=\"a\",algorithm=md5-sess,algorithm=md5-sess", "two values of algorithm"},
        {"nonce=\"a\",algorithm=md5-sess,qop=\"auth-conf\",cipher=\"rc4\",QOP=\"auth\"", "two values of qop"},
        {"nonce=\"a\",algorithm=md5-sess,cipher=\"3des\",cipher=\"rc4-40\"", "two values of cipher"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=65536,maxbuf=17", "two values of maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,charset=utf-8,charset=x", "two values of charset"},
        {"nonce=\"a\",algorithm=md5-sess-x", "md5-sess"},
        {"nonce=\"a\",algorithm=xmd5-sess", "md5-sess"},
        {"xnonce=\"a\",algorithm=md5-sess", "no nonce"},
        {"nonce2=\"a\",algorithm=md5-sess", "no nonce"},
        {"rspauth=ea40f60335c427b5527b84dbabcdfffd", "no nonce"},
        {"nonce=\"a", "does not end"},
        {"nonce=\"a\\", "does not end"},
        {"nonce=\"a\"b", "does not end"},
        {"nonce", "not a list"},
        {"=x", "not a list"},
        {"nonce \"x\"", "not a list"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=16", "maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=16777216", "maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=", "maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=-1", "maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=65536x", "maxbuf"},
        {"nonce=\"a\",algorithm=md5-sess,maxbuf=4294967313", "maxbuf"}, /* 2^32 + 17 */
        {"nonce=\"a\",algorithm=md5-sess,qop=\"auth-none\"", "levels of protection"},
        {"nonce=\"a\",algorithm=md5-sess,qop=\"aut\"", "levels of protection"},
        {"nonce=\"a\",algorithm=md5-sess,qop=\"\"", "levels of protection"},
        {"nonce=\"a\",algorithm=md5-sess,qop=\"auth-conf\",cipher=\"rc4-41,des\"", "levels of protection"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_sasl_token reply;
        struct ps_sasl *sasl = ps_digest_md5_open(&usual);
        assert_int_equal(step(sasl, cases[i].challenge, &reply), PS_SASL_FAILED);
        if (strstr(sasl->reason, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].challenge, sasl->reason);
        /* after a wrong challenge, a right one is refused, too */
        assert_int_equal(step(sasl, "nonce=\"a\",algorithm=md5-sess", &reply), PS_SASL_FAILED);
        assert_int_equal(reply.length, 0);
        assert_non_null(strstr(sasl->reason, cases[i].reason));
        ps_sasl_close(sasl);
    }
}

/* A NUL does not cut a name or a value. The longest challenge is read; one byte more is refused. */
static void test_bytes_of_challenges(void **state)
{
    static const char begin[] = "algorithm=md5-sess,nonce=\"a\",x=\"";
    static char text[65537];
    for (size_t length = sizeof text - 2; length <= sizeof text; length++) {
        struct ps_sasl_token reply;
        struct ps_sasl *sasl = ps_digest_md5_open(&usual);
        memset(text, 'x', sizeof text);
        memcpy(text, begin, sizeof begin - 1);
        text[length - 1] = '"';
        bool is_long = length > 65536;
        assert_int_equal(ps_sasl_step(sasl, text, length, &reply), is_long ? PS_SASL_FAILED : PS_SASL_MORE);
        assert_true(!is_long || strstr(sasl->reason, "too long") != NULL);
        ps_sasl_token_free(&reply);
        ps_sasl_close(sasl);
    }
    for (size_t at = 0; at < sizeof rfc_challenge - 1; at++) {
        struct ps_sasl_token reply;
        struct ps_sasl *sasl = ps_digest_md5_open(&rfc);
        memcpy(text, rfc_challenge, sizeof rfc_challenge);
        text[at] = '\0';
        assert_int_equal(ps_sasl_step(sasl, text, sizeof rfc_challenge - 1, &reply), PS_SASL_FAILED);
        assert_non_null(strstr(sasl->reason, "NUL"));
        ps_sasl_close(sasl);
    }
}

/* The server must know this secret, for this name, realm, service, host and nonce. With any of them changed, the server
 * refuses the client's response, and its own last challenge is refused by the client. */
static void test_near_misses(void **state)
{
    static const char last[] = "rspauth=ea40f60335c427b5527b84dbabcdfffd";
    static const char response[] = "response=d388dad90d4bbd760a152321f2143af7,";
    struct ps_digest_md5_settings others[] = {rfc, rfc, rfc, rfc, rfc, rfc};
    others[0].name = "chris2";
    others[1].name = "chri";
    others[2].secret = "secret2";
    others[3].service = "ima";
    others[4].host = "elwood.innosoft.com.evil";
    others[5].cnonce = "OA6MHXh6VqTrRkA";
    static const char *const challenges[] = {
        "realm=\"elwood.innosoft.com2\",nonce=\"OA6MG9tEQGm2hh\",algorithm=md5-sess,charset=utf-8",
        "realm=\"elwood.innosoft\",nonce=\"OA6MG9tEQGm2hh\",algorithm=md5-sess,charset=utf-8",
        "realm=\"ELWOOD.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",algorithm=md5-sess,charset=utf-8",
        "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2h\",algorithm=md5-sess,charset=utf-8",
        "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hhh\",algorithm=md5-sess,charset=utf-8",
        "nonce=\"OA6MG9tEQGm2hh\",algorithm=md5-sess,charset=utf-8",
        "realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",algorithm=md5-sess,qop=\"auth-int\"",
    };
    for (size_t i = 0; i < PS_COUNT_OF(others) + PS_COUNT_OF(challenges); i++) {
        bool is_other = i < PS_COUNT_OF(others);
        struct ps_sasl_token reply;
        struct ps_sasl *sasl = ps_digest_md5_open(is_other ? &others[i] : &rfc);
        const char *challenge = is_other ? rfc_challenge : challenges[i - PS_COUNT_OF(others)];
        assert_int_equal(step(sasl, challenge, &reply), PS_SASL_MORE);
        if (says(&reply, response))
            fail_msg("near miss %zu has the right response", i);
        ps_sasl_token_free(&reply);
        assert_int_equal(step(sasl, last, &reply), PS_SASL_FAILED);
        ps_sasl_close(sasl);
    }
}

/* The choice among the options that a server offers. */
static void test_choice(void **state)
{
    static const struct {
        unsigned allowed;
        const char *cipher, *offer, *wanted;
    } cases[] = {
        {ALL_LEVELS, NULL, "qop=\"auth,auth-int,auth-conf\",cipher=\"3des,rc4,des,rc4-56,rc4-40\"",
         ",qop=auth-conf,cipher=\"rc4\""},
        {ALL_LEVELS, "3des", "qop=\"auth,auth-int,auth-conf\",cipher=\"3des,rc4\"",
         ",qop=auth-conf,cipher=\"3des\""},
        {ALL_LEVELS, NULL, "qop=\"auth-conf\",cipher=\"des, 3des\"", ",qop=auth-conf,cipher=\"3des\""},
        {ALL_LEVELS, NULL, "qop=\"auth-conf\",cipher=\"rc4-40,rc4-56\"", ",qop=auth-conf,cipher=\"rc4-56\""},
        {ALL_LEVELS, NULL, "qop=\"auth-conf,auth\",cipher=\"des\"", ",qop=auth"},
        {PS_SASL_INTEGRITY, NULL, "qop=\"auth,auth-int,auth-conf\",cipher=\"rc4\"", ",qop=auth-int"},
        {PS_SASL_AUTHENTICATION, NULL, "QOP=\"auth,auth-int\"", ",qop=auth"},
        {ALL_LEVELS, NULL, "unknown=\"a,b\\\"c\", , stale=true", ",qop=auth"},
        {PS_SASL_PRIVACY, NULL, "qop=\"auth,auth-int\"", NULL},
        {PS_SASL_PREFER(PS_SASL_AUTHENTICATION, PS_SASL_PRIVACY, 0), NULL,
         "qop=\"auth,auth-int,auth-conf\",cipher=\"rc4\"", ",qop=auth"},
        {PS_SASL_PREFER(PS_SASL_INTEGRITY, PS_SASL_PRIVACY, 0), NULL, "qop=\"auth,auth-conf\",cipher=\"rc4\"",
         ",qop=auth-conf,cipher=\"rc4\""},
        {PS_SASL_PRIVACY, "rc4", "qop=\"auth-conf\",cipher=\"3des\"", NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_digest_md5_settings settings = usual;
        struct ps_sasl_token reply;
        char challenge[256];
        settings.protection = cases[i].allowed;
        settings.cipher = cases[i].cipher;
        snprintf(challenge, sizeof challenge,
                 "realm=\"0\",nonce=\"n\\\"q\",%s,algorithm=md5-sess,charset=utf-8", cases[i].offer);
        struct ps_sasl *sasl = ps_digest_md5_open(&settings);
        enum ps_sasl_result result = step(sasl, challenge, &reply);
        assert_int_equal(result, cases[i].wanted != NULL ? PS_SASL_MORE : PS_SASL_FAILED);
        if (cases[i].wanted != NULL) {
            size_t length = strlen(cases[i].wanted);
            assert_true(reply.length > length && says(&reply, ",nonce=\"n\\\"q\","));
            assert_memory_equal(reply.bytes + reply.length - length, cases[i].wanted, length);
        }
        ps_sasl_token_free(&reply);
        ps_sasl_close(sasl);
    }
}

/* The longest text that fits a message of the server's maxbuf: after it come 16 bytes, and at most 8 of padding and 2
 * that Java counts; one byte always fits. */
static void test_longest_texts(void **state)
{
    static const struct {
        const char *offer;
        size_t wanted;
    } cases[] = {
        {"", 65536 - 26},
        {",maxbuf=65536", 65536 - 26},
        {",maxbuf=17", 1},
        {",maxbuf=26", 1},
        {",maxbuf=27", 1},
        {",maxbuf=28", 2},
        {",maxbuf=16777215", 16777215 - 26},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_sasl_token reply;
        char challenge[128];
        struct ps_sasl *sasl = ps_digest_md5_open(&usual);
        snprintf(challenge, sizeof challenge, "nonce=\"a\",algorithm=md5-sess,qop=\"auth-int\"%s",
                 cases[i].offer);
        assert_int_equal(step(sasl, challenge, &reply), PS_SASL_MORE);
        assert_int_equal(sasl->wrap_text_max, cases[i].wanted);
        ps_sasl_token_free(&reply);
        ps_sasl_close(sasl);
    }
}

/* ---- what Java recorded ---- */

#define RECORD "tests/stages/lib/sasl/data/digest_md5.txt"

struct record {
    char level[16], cipher[16], challenge[512], cnonce[64], response[64];
    struct ps_sasl *sasl;
    unsigned cases, messages;
};

static size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
    size_t length = strlen(text) / 2;
    assert_true(length <= room);
    for (size_t i = 0; i < length; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    return length;
}

static void begin(struct record *record)
{
    struct ps_digest_md5_settings settings = usual;
    struct ps_sasl_token reply;
    char response[80];
    settings.cnonce = record->cnonce;
    settings.cipher = strcmp(record->cipher, "-") == 0 ? NULL : record->cipher;
    settings.protection = strcmp(record->level, "auth") == 0       ? PS_SASL_AUTHENTICATION
                          : strcmp(record->level, "auth-int") == 0 ? PS_SASL_INTEGRITY
                                                                   : PS_SASL_PRIVACY;
    ps_sasl_close(record->sasl);
    record->sasl = ps_digest_md5_open(&settings);
    assert_int_equal(step(record->sasl, record->challenge, &reply), PS_SASL_MORE);
    snprintf(response, sizeof response, "response=%s,", record->response);
    assert_true(says(&reply, response));
    ps_sasl_token_free(&reply);
}

static void finish(struct record *record, const char *last)
{
    struct ps_sasl_token reply;
    assert_int_equal(step(record->sasl, last, &reply), PS_SASL_DONE);
    record->cases++;
}

static void compare(struct record *record, const char *texts, bool ours)
{
    char hex_text[512], hex_message[512];
    uint8_t text[256], message[256], made[256 + PS_SASL_OVERHEAD_BYTES];
    assert_int_equal(sscanf(texts, "%511s %511s", hex_text, hex_message), 2);
    size_t length = from_hex(hex_text, text, sizeof text),
           wrapped = from_hex(hex_message, message, sizeof message);
    if (ours) {
        assert_int_equal(ps_sasl_wrap(record->sasl, text, length, made, sizeof made), wrapped);
        assert_memory_equal(made, message, wrapped);
    } else {
        assert_true(ps_sasl_unwrap(record->sasl, message, &wrapped));
        assert_int_equal(wrapped, length);
        assert_memory_equal(message, text, length);
    }
    record->messages++;
}

static void read_line(struct record *record, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *value = strchr(line, ' ');
    assert_non_null(value);
    *value++ = '\0';
    if (strcmp(line, "case") == 0)
        assert_int_equal(sscanf(value, "%15s %15s", record->level, record->cipher), 2);
    else if (strcmp(line, "challenge") == 0)
        snprintf(record->challenge, sizeof record->challenge, "%s", value);
    else if (strcmp(line, "cnonce") == 0)
        snprintf(record->cnonce, sizeof record->cnonce, "%s", value);
    else if (strcmp(line, "response") == 0)
        snprintf(record->response, sizeof record->response, "%s", value), begin(record);
    else if (strcmp(line, "last") == 0)
        finish(record, value);
    else
        compare(record, value, strcmp(line, "ours") == 0);
}

static void test_java(void **state)
{
    const char *named = getenv("DIGEST_MD5_RECORD");
    struct record record = {.sasl = NULL};
    char line[2048];
    FILE *file = fopen(named != NULL ? named : ps_test_source_path(RECORD), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        read_line(&record, line);
    fclose(file);
    ps_sasl_close(record.sasl);
    assert_int_equal(record.cases, 6);
    assert_int_equal(record.messages, 5 * 12);
}

/* ---- damage ---- */

/* Every byte of a message that Java sent, flipped; a message that is cut, repeated, or out of turn. */
static void test_damage(void **state)
{
    struct record record = {.sasl = NULL};
    char line[2048], copy[2048];
    unsigned refused = 0;
    FILE *file = fopen(ps_test_source_path(RECORD), "r");
    assert_non_null(file);
    char last[256] = "";
    while (fgets(line, sizeof line, file) != NULL) {
        memcpy(copy, line, sizeof copy);
        if (strncmp(line, "theirs ", 7) != 0) {
            if (strncmp(line, "last ", 5) == 0)
                snprintf(last, sizeof last, "%.200s", line);
            if (strncmp(line, "ours ", 5) != 0)
                read_line(&record, copy);
            continue;
        }
        char hex_text[512], hex_message[512];
        uint8_t message[256];
        if (record.sasl == NULL || sscanf(line, "theirs %511s %511s", hex_text, hex_message) != 2 ||
            strlen(hex_text) != 2)
            continue; /* the first message of a case */
        size_t whole = from_hex(hex_message, message, sizeof message);
        for (size_t at = 0; at <= whole; at++) {
            begin(&record);
            memcpy(copy, last, sizeof last);
            read_line(&record, copy);
            size_t length = at == whole ? whole - 1 : whole;
            (void)from_hex(hex_message, message, sizeof message);
            message[at] ^= 0x20;
            assert_false(ps_sasl_unwrap(record.sasl, message, &length));
            refused++;
        }
        for (size_t length = 1; length < 16; length++) {
            size_t short_length = length;
            assert_false(ps_sasl_unwrap(record.sasl, message, &short_length));
        }
    }
    fclose(file);
    ps_sasl_close(record.sasl);
    assert_true(refused > 5 * 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_example),
        cmocka_unit_test(test_false_server),
        cmocka_unit_test(test_bad_challenges),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_bytes_of_challenges),
        cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_longest_texts),
        cmocka_unit_test(test_java),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
