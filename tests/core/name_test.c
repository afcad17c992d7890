/* Header names: one object for each text, equal by pointer or by text. */
#include "core/name.h"

#include "tests/support/support.h"

#include <stdio.h>

static void test_intern(void **state)
{
    const struct ps_name *names[2000];
    char text[32];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "intern %u", i);
        names[i] = ps_name_intern(text);
        assert_string_equal(names[i]->text, text);
        assert_int_equal(names[i]->length, strlen(text));
        assert_int_equal(names[i]->hash, ps_name_hash(text, strlen(text)));
        assert_int_equal(__builtin_popcountll(names[i]->mask), 1);
        assert_int_equal(names[i]->mask, ps_name_mask(names[i]->hash));
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "intern %u", i);
        assert_ptr_equal(ps_name_intern(text), names[i]);
        assert_ptr_equal(ps_name_intern_bytes(text, strlen(text)), names[i]);
        assert_true(ps_name_equal(names[i], names[i]));
        assert_false(ps_name_equal(names[i], names[(i + 1) % 2000]));
    }
}

/* Names of any bytes: the empty name, and a name that contains a zero byte. */
static void test_bytes(void **state)
{
    const struct ps_name *empty = ps_name_intern(""), *zero = ps_name_intern_bytes("a\0b", 3);
    assert_int_equal(empty->length, 0);
    assert_ptr_equal(ps_name_intern_bytes("xyz", 0), empty);
    assert_int_equal(zero->length, 3);
    assert_ptr_not_equal(zero, ps_name_intern("a"));
    assert_ptr_equal(zero, ps_name_intern_bytes("a\0b", 3));
    char longest[65535];
    memset(longest, 'n', sizeof longest);
    assert_int_equal(ps_name_intern_bytes(longest, sizeof longest)->length, sizeof longest);
}

static void test_hash(void **state)
{
    (void)state; /* the test vectors of FNV-1a */
    assert_int_equal(ps_name_hash("", 0), 0x811C9DC5U);
    assert_int_equal(ps_name_hash("a", 1), 0xE40C292CU);
    assert_int_equal(ps_name_hash("foobar", 6), 0xBF9CF968U);
}

/* One name has one keyed hash, and the form of 32 bits is its lower half: tests that count what a search visits hash
 * the names of a table again. */
static void test_keyed_hash(void **state)
{
    static const char name[] = "a name that is longer than one word of the hash";
    uint32_t seen = 0;
    for (size_t length = 0; length < sizeof name; length++) {
        char copy[sizeof name];
        memcpy(copy, name, length);
        assert_int_equal(ps_name_keyed_hash(copy, length), ps_name_keyed_hash(name, length));
        assert_int_equal(ps_name_keyed_hash32(name, length),
                         ps_name_keyed_hash(name, length) & UINT32_C(0xFFFFFFFF));
        seen |= ps_name_keyed_hash32(name, length);
    }
    assert_int_equal(seen, UINT32_MAX); /* every bit is used */
}

#define FURTHER 200000U /* the table grows twice */

/* Runs last: it leaves no room for names of rules. */
static void test_full(void **state)
{
    char text[32];
    const struct ps_name *first = NULL, *name = NULL;
    for (unsigned i = 0; i < 70000; i++) {
        int length = snprintf(text, sizeof text, "full %u", i);
        name = ps_name_intern_try(text, (size_t)length);
        if (i == 0)
            first = name;
        if (name == NULL)
            break;
    }
    assert_null(name);
    assert_non_null(first);
    assert_ptr_equal(ps_name_intern_try("full 0", 6), first);  /* existing names are still found */
    const struct ps_name *further = ps_name_intern("further"); /* of the configuration: never refused */
    static const struct ps_name *all[FURTHER];
    for (unsigned i = 0; i < FURTHER; i++) {
        snprintf(text, sizeof text, "further %u", i);
        all[i] = ps_name_intern(text);
        assert_string_equal(all[i]->text, text);
    }
    for (unsigned i = 0; i < FURTHER; i++) { /* none was left behind when the table grew */
        snprintf(text, sizeof text, "further %u", i);
        assert_ptr_equal(ps_name_intern(text), all[i]);
    }
    assert_string_equal(further->text, "further");
    assert_ptr_equal(ps_name_intern("further"), further);
    assert_ptr_equal(ps_name_intern("full 0"), first);
    char *long_one = calloc(1, 65536);
    assert_non_null(long_one);
    assert_null(ps_name_intern_try(long_one, 65536));
    free(long_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intern),     cmocka_unit_test(test_bytes), cmocka_unit_test(test_hash),
        cmocka_unit_test(test_keyed_hash), cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
