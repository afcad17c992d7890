/* A name with several addresses: the first answer, and the next one after an address that could not be reached. */
#include "stages/lib/net/resolver.h"

#include <string.h>

#include "tests/support/name_server.h"

static void answer_with(const char *a, const char *b, const char *c, const char *d)
{
    const char *const all[] = {a, b, c, d};
    name_server.count = name_server.answers = 0;
    while (name_server.count < ANSWER_ADDRESSES_MAX && all[name_server.count] != NULL) {
        name_server.addresses[name_server.count] = all[name_server.count];
        name_server.count++;
    }
}

static void expect(struct ps_address *address, const char *text, uint32_t count)
{
    char printed[PS_ADDRESS_TEXT_BYTES], wanted[PS_ADDRESS_TEXT_BYTES];
    uint32_t counted = 0;
    assert_int_equal(ps_resolve_next("many.test", address, &counted), 0);
    ps_address_print(address, printed);
    snprintf(wanted, sizeof wanted, strchr(text, ':') != NULL ? "[%s]:0" : "%s:0", text);
    assert_string_equal(printed, wanted);
    assert_int_equal(counted, count);
}

/* The first one is the name server's choice, IPv4 if there is any; then each comes once before one comes again,
 * although the order of the answers changes. */
static void test_round(void **state)
{
    struct ps_address address = {.length = 0};
    answer_with("::1", "127.0.0.9", "127.0.0.3", "127.0.0.200");
    expect(&address, "127.0.0.9", 4);
    for (unsigned i = 0; i < 2; i++) {
        expect(&address, "127.0.0.200", 4);
        expect(&address, "::1", 4);
        expect(&address, "127.0.0.3", 4);
        expect(&address, "127.0.0.9", 4);
    }
}

static void test_one(void **state)
{
    struct ps_address address = {.length = 0};
    answer_with("127.0.0.7", NULL, NULL, NULL);
    for (unsigned i = 0; i < 3; i++)
        expect(&address, "127.0.0.7", 1);
}

/* The name has other addresses now, without the one that was tried. */
static void test_other_answers(void **state)
{
    struct ps_address address = {.length = 0};
    answer_with("::5", "::2", NULL, NULL);
    expect(&address, "::5", 2);
    answer_with("127.0.0.4", "::3", NULL, NULL);
    expect(&address, "127.0.0.4", 2);
    answer_with(NULL, NULL, NULL, NULL);
    uint32_t count;
    assert_int_equal(ps_resolve_next("many.test", &address, &count), EAI_NONAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_other_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
