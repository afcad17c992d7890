/* The look at a shared object before dlopen believes its headers: one that is cut at any length, and one whose headers lie. What a user sees of
 * plug-ins that cannot be used is asked by tests/e2e/plugin_load_test.sh and plugin_broken_test.sh. */
#include "core/plugin/elf.h"
#include "tests/support/support.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char whole[1 << 20];
static size_t length;

/* Reads a shared object of the build. */
static int setup(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/not_idle.so", getenv("PENSTOCK_TOOLS"));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    length = fread(whole, 1, sizeof whole, file);
    assert_in_range(length, 2000, sizeof whole - 1);
    return fclose(file);
}

static enum ps_status check(const char *bytes, size_t bytes_length)
{
    const char *cure = NULL;
    struct ps_err err = {.length = 0};
    enum ps_status status = ps_elf_check((const unsigned char *)bytes, bytes_length, &cure, &err);
    assert_non_null(cure);
    assert_true(status == PS_OK || err.length > 0);
    return status;
}

static void test_cut_at_every_length(void **state)
{
    for (size_t cut = 0; cut < length; cut++) {
        char *bytes = malloc(cut + 1);
        memcpy(bytes, whole, cut);
        if (check(bytes, cut) == PS_OK)
            fail_msg("%zu of %zu bytes count as whole", cut, length);
        free(bytes);
        cut += cut > sizeof(Elf64_Ehdr) * 4 ? 97 : 0;
    }
    assert_int_equal(check(whole, length - 1), PS_FAIL);
    assert_int_equal(check(whole, length), PS_OK);
}

static void test_drawn_headers(void **state)
{
    uint64_t random = ps_test_seed();
    unsigned good = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size_t cut = 64 + ps_test_random(&random) % 1000;
        char *bytes = malloc(cut); /* as long as it says: a sanitizer sees each read past its end */
        memcpy(bytes, whole, cut);
        for (uint64_t flips = 1 + ps_test_random(&random) % 6; flips > 0; flips--)
            bytes[ps_test_random(&random) % (flips % 2 == 1 ? 64 : cut)] = (char)ps_test_random(&random);
        good += check(bytes, cut) == PS_OK;
        free(bytes);
    }
    assert_true(good < 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut_at_every_length),
                                       cmocka_unit_test(test_drawn_headers)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
