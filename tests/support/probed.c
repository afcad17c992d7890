#include "tests/support/probed.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

void ps_test_probed_note(const struct ps_probe *probe, enum ps_probed result, const char *key,
                         const char *what, const char *cause, const char *cure)
{
    struct ps_test_probed *probed = probe->argument;
    probed->count++;
    probed->result = result;
    snprintf(probed->key, sizeof probed->key, "%s", key != NULL ? key : "");
    snprintf(probed->what, sizeof probed->what, "%s", what);
    snprintf(probed->cause, sizeof probed->cause, "%s", cause != NULL ? cause : "");
    snprintf(probed->cure, sizeof probed->cure, "%s", cure != NULL ? cure : "");
}

void ps_test_probed_expect(const struct ps_test_probed *probed, enum ps_probed result, const char *cause,
                           const char *cure)
{
    assert_int_equal(probed->result, result);
    if (strstr(probed->cause, cause) == NULL)
        fail_msg("the cause is \"%s\", not \"%s\"", probed->cause, cause);
    if (strstr(probed->cure, cure) == NULL)
        fail_msg("the cure is \"%s\", not \"%s\"", probed->cure, cure);
}
