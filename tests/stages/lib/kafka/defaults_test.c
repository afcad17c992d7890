/* Defaults of Flume's Kafka clients, recorded by tests/real/kafka_defaults/record.sh, against ours: each is the same, or in
 * the list of differences that docs/KAFKA_PROPERTIES.md prints. */
#include "tests/stages/lib/kafka/properties/defaults.h"
#include "tests/support/source_tree.h"

/* Properties that the stages set by their own rules, and sasl.kerberos.kinit.cmd: their defaults are not compared. */
static bool is_set_elsewhere(const char *name)
{
    static const char *const names[] = {"bootstrap.servers", "exclude.internal.topics", "partitioner.class",
                                        "sasl.kerberos.kinit.cmd"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static const struct ps_kafka_default *difference(enum ps_kafka_client client, const char *name)
{
    for (size_t i = 0; i < ps_kafka_default_count; i++) {
        if (ps_kafka_default_rows[i].client == client && strcmp(ps_kafka_default_rows[i].name, name) == 0)
            return &ps_kafka_default_rows[i];
    }
    return NULL;
}

/* The value of `target` in librdkafka's own words, with these settings. */
static const char *effective(const struct ps_kafka_settings *settings, const char *target, char *text,
                             size_t size)
{
    struct ps_err err = {.length = 0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_default_topic_conf(conf, rd_kafka_topic_conf_new());
    if (ps_kafka_settings_apply(settings, NULL, conf, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rd_kafka_conf_get(conf, target, text, &size), RD_KAFKA_CONF_OK);
    rd_kafka_conf_destroy(conf);
    return text;
}

/* Compares one row of our table with the recorded default. */
static void compare(enum ps_kafka_client client, const struct ps_kafka_property *row, const char *recorded)
{
    struct ps_kafka_settings absent, written;
    struct ps_err err = {.length = 0};
    struct ps_pairs none = {0};
    const struct ps_kafka_properties properties = {.client = client, .pairs = &none};
    char ours[512], theirs[512];
    ps_kafka_settings_init(&written);
    assert_int_equal(translate_all(client, NULL, 0, NULL, &absent, &err), PS_OK);
    if (strncmp(recorded, "class ", 6) == 0)
        recorded += 6;
    assert_int_equal(ps_kafka_property_convert(row, recorded, &properties, &written, &err), PS_OK);
    effective(&absent, row->target, ours, sizeof ours);
    effective(&written, row->target, theirs, sizeof theirs);
    const struct ps_kafka_default *listed = difference(client, row->name);
    if (strcmp(ours, theirs) != 0 && listed == NULL)
        fail_msg("%s: %s here, %s in Flume's client: not in the list of differences", row->name, ours,
                 theirs);
    if (listed != NULL && strcmp(listed->flume, recorded) != 0)
        fail_msg("%s: %s in Flume's client, not %s", row->name, recorded, listed->flume);
    if (listed != NULL && !listed->stage && strcmp(ours, theirs) != 0)
        assert_string_equal(listed->here, ours);
    ps_kafka_settings_fini(&absent);
    ps_kafka_settings_fini(&written);
}

static void test_recorded_defaults(void **state)
{
    char line[512], client_name[16], name[128], value[256];
    FILE *file = fopen(ps_test_source_path("tests/stages/data/kafka_defaults.txt"), "r");
    assert_non_null(file);
    unsigned compared = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%15[^\t]\t%127[^\t]\t%255[^\n]", client_name, name, value), 3);
        enum ps_kafka_client client = strcmp(client_name, "consumer") == 0 ? C : P;
        for (size_t i = 0; i < ps_kafka_property_count; i++) {
            const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
            if (strcmp(row->name, name) != 0 || (row->clients & (unsigned)client) == 0 ||
                row->target == NULL || is_set_elsewhere(name))
                continue;
            compare(client, row, value);
            compared++;
        }
    }
    fclose(file);
    assert_true(compared >= 40);
}

/* Each row of the list is a real difference, and the only one for its property. */
static void test_differences(void **state)
{
    for (size_t i = 0; i < ps_kafka_default_count; i++) {
        const struct ps_kafka_default *row = &ps_kafka_default_rows[i];
        assert_string_not_equal(row->flume, row->here);
        assert_ptr_equal(difference(row->client, row->name), row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_defaults),
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
