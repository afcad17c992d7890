/* The levels of protection that a configuration names: each alone, in each order, with each separator; and names that
 * are not levels. */
#include "stages/lib/hadoop/protection.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>

#define A PS_SASL_AUTHENTICATION
#define I PS_SASL_INTEGRITY
#define P PS_SASL_PRIVACY
#define MISSING 0x777U

static const struct {
    const char *value; /* NULL: the key is not set */
    unsigned levels[3];
    const char *wrong; /* NULL: it is valid */
} rows[] = {
    {NULL, {0}, NULL},
    {"", {0}, NULL},
    {"authentication", {A}, NULL},
    {"integrity", {I}, NULL},
    {"privacy", {P}, NULL},
    {"PRIVACY", {P}, NULL},
    {"privacy,integrity", {P, I}, NULL},
    {"integrity , privacy", {I, P}, NULL},
    {"authentication,integrity,privacy", {A, I, P}, NULL},
    {"privacy,\n\tintegrity, authentication", {P, I, A}, NULL},
    {"authentication,", {A}, NULL},
    {"authentication,integrity,privacy,authentication", {0}, "authentication"},
    {"privac", {0}, "privac"},
    {"privacyy", {0}, "privacyy"},
    {"integrity;privacy", {0}, "integrity;privacy"},
    {"integrity,none", {0}, "none"},
    {"auth", {0}, "auth"},
};

static void test_levels(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_hadoop_configuration *configuration;
        struct ps_err err = {.length = 0};
        char xml[512], text[512];
        unsigned protection = 99, wanted = 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        int length = snprintf(
            xml, sizeof xml,
            "<configuration>\n<property><name>x.%s</name><value>%s</value></property></configuration>",
            rows[i].value != NULL ? "protection" : "other",
            rows[i].value != NULL ? rows[i].value : "privacy");
        ps_test_folder_append("core-site.xml", xml, (size_t)length);
        assert_int_equal(ps_hadoop_configuration_load(&configuration, ps_test_folder(), &err), PS_OK);
        enum ps_status status =
            ps_hadoop_protection_read(configuration, "x.protection", MISSING, &protection, &err);
        if ((status == PS_OK) != (rows[i].wrong == NULL))
            fail_msg("row %zu: %s", i, err.text);
        for (unsigned k = 0; k < 3; k++)
            wanted |= rows[i].levels[k] << (4 * k);
        if (status == PS_OK) {
            assert_int_equal(protection,
                             rows[i].value == NULL || rows[i].value[0] == '\0' ? MISSING : wanted);
        } else {
            snprintf(text, sizeof text,
                     "x.protection: %s: only authentication, integrity and privacy are supported",
                     rows[i].wrong);
            assert_non_null(strstr(err.text, text));
            assert_non_null(strstr(err.text, "core-site.xml:2: "));
        }
        ps_hadoop_configuration_free(configuration);
        ps_test_folder_teardown(NULL);
    }
    unsigned protection = 99;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_hadoop_protection_read(NULL, "x.protection", MISSING, &protection, &err), PS_OK);
    assert_int_equal(protection, MISSING);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
