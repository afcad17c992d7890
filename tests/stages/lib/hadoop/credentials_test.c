/* Files of delegation tokens, as `hdfs fetchdt` of Hadoop 3.4 and 2.10 write them. */
#include "stages/lib/hadoop/credentials.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A token of alice, renewed by yarn, from 1700000000000 to 1700604800000, whose lengths take one byte each, and one
 * secret key. */
#define IDENTIFIER "\0\5alice\4yarn\0\x8a\1\x8b\xcf\xe5\x68\0\x8a\1\x8b\xf3\xf1\xf4\0\7\3"
#define PASSWORD "\1\2\3\4\xff\xfe"
#define KIND "HDFS_DELEGATION_TOKEN"
#define SERVICE "10.0.0.1:8020"
#define TEXT(text) text, sizeof(text) - 1

static uint8_t file[32768];
static size_t length;

static void put(const char *bytes, size_t count)
{
    memcpy(file + length, bytes, count);
    length += count;
}

static void put_delimited(const char *bytes, size_t count)
{
    file[length++] = (uint8_t)count;
    put(bytes, count);
}

static void begin(char version)
{
    length = 0;
    put("HDTS", 4);
    put(&version, 1);
}

static void put_token(const char *kind, const char *service)
{
    put_delimited(TEXT("alias"));
    put_delimited(TEXT(IDENTIFIER));
    put_delimited(TEXT(PASSWORD));
    put_delimited(kind, strlen(kind));
    put_delimited(service, strlen(service));
}

static struct ps_hadoop_credentials *parse(void)
{
    struct ps_hadoop_credentials *credentials;
    struct ps_err err = {.length = 0};
    if (ps_hadoop_credentials_parse(&credentials, file, length, &err) != PS_OK)
        fail_msg("%s", err.text);
    return credentials;
}

static void expect_token(const struct ps_hadoop_token *token)
{
    assert_non_null(token);
    assert_string_equal(token->kind, KIND);
    assert_string_equal(token->service, SERVICE);
    assert_string_equal(token->name, "AAVhbGljZQR5YXJuAIoBi8/laACKAYvz8fQABwM=");
    assert_string_equal(token->secret, "AQIDBP/+");
    assert_string_equal(token->url,
                        "HQAFYWxpY2UEeWFybgCKAYvP5WgAigGL8_H0AAcDBgECAwT__hVIREZTX0RFTEVHQVRJT05fVE9LR"
                        "U4NMTAuMC4wLjE6ODAyMA");
    assert_string_equal(token->owner, "alice");
    assert_int_equal(token->expires_ms, 1700604802048);
}

static void test_writable(void **state)
{
    begin(0);
    put("\2", 1);
    put_token("other", "10.0.0.1:8020");
    put_token(KIND, SERVICE);
    put("\1\3key\2ab", 8);
    struct ps_hadoop_credentials *credentials = parse();
    assert_int_equal(ps_hadoop_credentials_count(credentials), 2);
    expect_token(ps_hadoop_credentials_find(credentials, KIND, SERVICE));
    expect_token(ps_hadoop_credentials_find(credentials, KIND, NULL));
    assert_null(ps_hadoop_credentials_find(credentials, KIND, "10.0.0.2:8020"));
    assert_null(ps_hadoop_credentials_find(NULL, KIND, NULL));
    assert_ptr_equal(ps_hadoop_credentials_first_to_end(credentials, KIND),
                     ps_hadoop_credentials_find(credentials, KIND, SERVICE));
    assert_null(ps_hadoop_credentials_first_to_end(credentials, "none"));
    assert_null(ps_hadoop_credentials_first_to_end(NULL, KIND));
    ps_hadoop_credentials_free(credentials);
    ps_hadoop_credentials_free(NULL);
}

/* If a file has two tokens, each is found only by the name of its service. */
static void test_several(void **state)
{
    begin(0);
    put("\2", 1);
    put_token(KIND, "ha-hdfs:NameService1");
    put_token(KIND, SERVICE);
    struct ps_hadoop_credentials *credentials = parse();
    assert_null(ps_hadoop_credentials_find(credentials, KIND, NULL));
    assert_non_null(ps_hadoop_credentials_find(credentials, KIND, "ha-hdfs:nameservice1"));
    expect_token(ps_hadoop_credentials_find(credentials, KIND, SERVICE));
    ps_hadoop_credentials_free(credentials);
}

static void put_field(char tag, const char *bytes, size_t count)
{
    put(&tag, 1);
    put_delimited(bytes, count);
}

static void test_message(void **state)
{
    char token[256];
    length = 0;
    put_field(0x0a, TEXT(IDENTIFIER));
    put_field(0x12, TEXT(PASSWORD));
    put_field(0x1a, TEXT(KIND));
    put_field(0x22, TEXT(SERVICE));
    size_t token_length = length;
    memcpy(token, file, token_length);
    length = 0;
    put_field(0x0a, TEXT("alias"));
    put_field(0x12, token, token_length);
    size_t named_length = length;
    memcpy(token, file, named_length);
    begin(1);
    file[length++] = (uint8_t)(named_length + 2 + 9);
    put_field(0x0a, token, named_length);
    put_field(0x12, TEXT("\x0a\1k\x1a\2ab")); /* a secret key */
    struct ps_hadoop_credentials *credentials = parse();
    assert_int_equal(ps_hadoop_credentials_count(credentials), 1);
    expect_token(ps_hadoop_credentials_at(credentials, 0));
    ps_hadoop_credentials_free(credentials);
}

/* Writes as many empty tokens, each named "a", in one of the two forms. */
static void put_empty_tokens(bool message, unsigned count)
{
    static const char writable[] = "\1a\0\0\0\0", named[] = "\x0a\x0d\x0a\1a\x12\x08\x0a\0\x12\0\x1a\0\x22\0";
    begin(message);
    if (message) {
        size_t bytes = count * (sizeof named - 1);
        file[length++] = (uint8_t)(0x80 | (bytes & 0x7f));
        file[length++] = (uint8_t)(0x80 | (bytes >> 7 & 0x7f));
        file[length++] = (uint8_t)(bytes >> 14);
    } else {
        put("\x8e", 1); /* a number of two bytes */
        file[length++] = (uint8_t)(count >> 8);
        file[length++] = (uint8_t)count;
    }
    for (unsigned i = 0; i < count; i++)
        put(message ? named : writable, message ? sizeof named - 1 : sizeof writable - 1);
}

static void test_the_most_tokens(void **state)
{
    for (unsigned message = 0; message < 2; message++) {
        for (unsigned count = PS_HADOOP_TOKENS_MAX - 1; count <= PS_HADOOP_TOKENS_MAX + 1; count++) {
            struct ps_hadoop_credentials *credentials;
            struct ps_err err;
            bool fits = count <= PS_HADOOP_TOKENS_MAX;
            put_empty_tokens(message, count);
            assert_int_equal(ps_hadoop_credentials_parse(&credentials, file, length, &err),
                             fits ? PS_OK : PS_FAIL);
            assert_int_equal(fits ? ps_hadoop_credentials_count(credentials) : 0, fits ? count : 0);
            ps_hadoop_credentials_free(credentials);
        }
    }
}

/* The bytes after the tokens are not read, so zeros make a good file as long as the limit. */
static void test_the_longest_file(void **state)
{
    const char *path = ps_test_folder_path("longest");
    begin(0);
    put("\1", 1);
    put_token(KIND, SERVICE);
    ps_test_folder_append("longest", (const char *)file, length);
    for (int more = -1; more <= 1; more++) {
        struct ps_hadoop_credentials *credentials;
        struct ps_err err = {.length = 0};
        assert_int_equal(truncate(path, (off_t)PS_HADOOP_CREDENTIALS_BYTES_MAX + more), 0);
        assert_int_equal(ps_hadoop_credentials_load(&credentials, path, &err), more <= 0 ? PS_OK : PS_FAIL);
        if (more > 0)
            assert_non_null(strstr(err.text, "longer than 1 MiB"));
        ps_hadoop_credentials_free(credentials);
    }
}

/* A file that is cut at any byte, or is not such a file. */
static void test_damage(void **state)
{
    struct ps_hadoop_credentials *credentials;
    struct ps_err err;
    begin(0);
    put("\1", 1);
    put_token(KIND, SERVICE);
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(ps_hadoop_credentials_parse(&credentials, file, cut, &err), PS_FAIL);
        assert_null(credentials);
    }
    begin(2);
    assert_int_equal(ps_hadoop_credentials_parse(&credentials, file, length, &err), PS_FAIL);
    assert_string_equal(err.text, "its version is 2; only 0 and 1 are supported");
    begin(0);
    put("\x8c\x7f\xff\xff\xff", 5); /* this number of tokens */
    assert_int_equal(ps_hadoop_credentials_parse(&credentials, file, length, &err), PS_FAIL);
    assert_string_equal(err.text, "it is damaged or incomplete");
}

static void test_file(void **state)
{
    struct ps_hadoop_credentials *credentials;
    struct ps_err err = {.length = 0};
    setenv("HADOOP_TOKEN_FILE_LOCATION", "", 1);
    assert_null(ps_hadoop_credentials_path());
    begin(0);
    put("\1", 1);
    put_token(KIND, SERVICE);
    ps_test_folder_append("tokens", (const char *)file, length);
    assert_int_equal(ps_hadoop_credentials_load(&credentials, ps_test_folder_path("tokens"), &err), PS_OK);
    expect_token(ps_hadoop_credentials_at(credentials, 0));
    ps_hadoop_credentials_free(credentials);
    assert_int_equal(ps_hadoop_credentials_load(&credentials, ps_test_folder_path("none"), &err), PS_FAIL);
    assert_non_null(strstr(err.text, "none: No such file"));
    ps_test_folder_append("text", "hello", 5);
    assert_int_equal(ps_hadoop_credentials_load(&credentials, ps_test_folder_path("text"), &err), PS_FAIL);
    assert_non_null(strstr(err.text, "text: it is not a file of Hadoop's tokens"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writable),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_the_most_tokens),
        cmocka_unit_test_setup_teardown(test_the_longest_file, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_file, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
