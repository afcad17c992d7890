/* The keys of an encrypted channel: those of --key, those of an agent file, and the events that cannot be read without one. */
#include "commands/channel/channel.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

static struct ps_channel_command command;

static int setup(void **state)
{
    memset(&command, 0, sizeof command);
    command.arena = ps_arena_create();
    return 0;
}

static int teardown(void **state)
{
    ps_arena_destroy(command.arena);
    return 0;
}

/* Of several values of a key the last one counts; a key that begins like another is another. */
static void test_value(void **state)
{
    static const struct ps_pair items[] = {{.key = "a", .value = "1"},
                                           {.key = "ab", .value = "2"},
                                           {.key = "a", .value = "3"},
                                           {.key = "b", .value = "4"},
                                           {.key = "a ", .value = "5"}};
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    assert_string_equal(ps_channel_value(&pairs, "a"), "3");
    assert_string_equal(ps_channel_value(&pairs, "ab"), "2");
    assert_string_equal(ps_channel_value(&pairs, "b"), "4");
    assert_null(ps_channel_value(&pairs, "c"));
}

/* The first key is the active one; each has its own file, whose name may have an equals sign. */
static void test_keys_of_the_command_line(void **state)
{
    static const char *const wrong[] = {"", "=", "k", "k=", "=file"};
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++)
        assert_false(ps_channel_key_add(&command, wrong[i]));
    assert_null(command.active_key);
    assert_null(command.key_source.provider);
    assert_true(ps_channel_key_add(&command, "one=/a=b"));
    assert_true(ps_channel_key_add(&command, "two=c"));
    assert_true(ps_channel_key_add(&command, "three=d"));
    assert_false(ps_channel_key_add(&command, "four"));
    assert_string_equal(command.active_key, "one");
    assert_string_equal(command.key_source.provider, "KEYFILE");
    static const char *const wanted[][3] = {
        {"one", "one.keyFile", "/a=b"}, {"two", "two.keyFile", "c"}, {"three", "three.keyFile", "d"}};
    assert_int_equal(command.key_source.names.count, 3);
    assert_int_equal(command.key_source.properties.count, 3);
    for (size_t i = 0; i < PS_COUNT_OF(wanted); i++) {
        assert_string_equal(command.key_source.names.items[i], wanted[i][0]);
        assert_string_equal(command.key_source.properties.items[i].key, wanted[i][1]);
        assert_string_equal(command.key_source.properties.items[i].value, wanted[i][2]);
    }
}

static void expect_pairs(const struct ps_pairs *pairs, const char *wanted)
{
    char found[256] = "";
    for (size_t i = 0; i < pairs->count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s=%s ", pairs->items[i].key,
                 pairs->items[i].value);
    assert_string_equal(found, wanted);
}

/* Each key of the agent file has its own place; what only a class knows goes to the class. */
static void test_keys_of_an_agent_file(void **state)
{
    static const struct ps_pair items[] = {
        {.key = "type", .value = "file"},
        {.key = "encryption.keyProvider", .value = "JCEKSFILE"},
        {.key = "encryption.activeKey", .value = "k2"},
        {.key = "encryption.keyProvider.keys", .value = "old"},
        {.key = "encryption.keyProvider.keys.k1.passwordFile", .value = "p1"},
        {.key = "encryption.keyProvider.keyStoreFile", .value = "store"},
        {.key = "encryption.keyProvider.url", .value = "https://x"},
        {.key = "encryption.keyProvider.keyStorePasswordFile", .value = "password"},
        {.key = "encryption.keyProvider.keys.k2.passwordFile", .value = "p2"},
        {.key = "encryption.keyProvider.keys", .value = "k1  k2"},
        {.key = "encryption.keyProvider.keysFile", .value = "f"},
        {.key = "encryption.keyProviders", .value = "other"},
    };
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    const struct ps_key_source *source = &command.key_source;
    ps_channel_keys_from(&command, &pairs, NULL);
    assert_string_equal(source->provider, "JCEKSFILE");
    assert_string_equal(source->store_file, "store");
    assert_string_equal(source->store_password_file, "password");
    assert_int_equal(source->names.count, 2);
    assert_string_equal(source->names.items[0], "k1");
    assert_string_equal(source->names.items[1], "k2");
    expect_pairs(&source->properties, "k1.passwordFile=p1 k2.passwordFile=p2 ");
    expect_pairs(&source->settings, "url=https://x keysFile=f ");
    assert_string_equal(command.active_key, "k2");
    assert_false(command.plain);
}

/* NONE as the active key: new events are not encrypted, although there are keys for older ones. */
static void test_active_key(void **state)
{
    static const struct {
        const char *active;
        bool plain;
        const char *key;
    } rows[] = {{NULL, false, NULL}, {"NONE", true, NULL}, {"none", false, "none"}, {"k", false, "k"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_pair item = {.key = "encryption.activeKey", .value = rows[i].active};
        const struct ps_pairs pairs = {rows[i].active != NULL, &item};
        ps_channel_keys_from(&command, &pairs, NULL);
        assert_int_equal(command.plain, rows[i].plain);
        assert_true((command.active_key == NULL) == (rows[i].key == NULL));
        assert_true(rows[i].key == NULL || strcmp(command.active_key, rows[i].key) == 0);
        assert_null(command.key_source.provider);
        assert_int_equal(command.key_source.names.count, 0);
    }
}

static void expect_held(const struct ps_channel_held *held, const char *wanted)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    ps_channel_held_print(&command, held, file);
    fclose(file);
    assert_string_equal(text, wanted);
    free(text);
}

/* Only segments with undelivered events that cannot be read are counted, and the latest key is asked for. */
static void test_what_is_held(void **state)
{
    static const struct {
        struct ps_survey_segment segment;
        bool seen;
    } rows[] = {
        {{.key = "k0", .held = false, .open_events = 5, .held_events = 5}, false},
        {{.key = "k0", .held = true, .open_events = 0}, false},
        {{.key = "k1", .held = true, .open_events = 7, .held_events = 1, .events = 9}, true},
        {{.key = "k2", .held = true, .open_events = 8, .held_events = 1233, .events = 9}, true},
        {{.key = "k3", .held = true, .open_events = 0}, false},
    };
    struct ps_channel_held held = {.segments = 0};
    expect_held(&held, "");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        assert_int_equal(ps_channel_held_seen(&held, &rows[i].segment), rows[i].seen);
        if (i == 2)
            expect_held(
                &held,
                "1 event in 1 segment is encrypted and was not read: the command has no key for it, or "
                "a wrong one. The latest of these segments is encrypted with key k1: give that key "
                "with --key NAME=FILE\n");
    }
    command.file = "agent.properties";
    expect_held(
        &held,
        "1,234 events in 2 segments are encrypted and were not read: the command has no key for them, or a "
        "wrong one. The latest of these segments is encrypted with key k2: give that key with "
        "encryption.keyProvider.keys of the channel\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_value), TEST(test_keys_of_the_command_line),
                                       TEST(test_keys_of_an_agent_file), TEST(test_active_key),
                                       TEST(test_what_is_held)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
