/* JDBC URLs: the meaning of each part. */
#include <stdlib.h>
#include <string.h>

#include "stages/lib/queue/database/url.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

static struct ps_err err;

static struct ps_jdbc_url read_url(const char *text)
{
    struct ps_jdbc_url url;
    if (ps_jdbc_url_read(ps_test_arena(), text, &url, &err) != PS_OK)
        fail_msg("%s: %s", text, err.text);
    return url;
}

static void test_derby(void **state)
{
    struct ps_jdbc_url url = read_url("jdbc:derby:/var/lib/flume/db;create=true;user=sa");
    assert_true(url.derby && url.create);
    assert_int_equal(url.kind, PS_DATABASE_SQLITE);
    assert_string_equal(url.name, "/var/lib/flume/db");
    assert_string_equal(ps_pairs_get(&url.parameters, "user"), "sa");
    assert_false(read_url("jdbc:derby:db").create);
    assert_string_equal(read_url("jdbc:derby:directory:db;create=TRUE").name, "db");
    assert_string_equal(read_url("jdbc:derby:a%20b").name, "a%20b"); /* Derby has no such codes */
}

static void test_postgres(void **state)
{
    struct ps_jdbc_url url = read_url("jdbc:postgresql://db.example.com/events");
    assert_int_equal(url.kind, PS_DATABASE_POSTGRES);
    assert_string_equal(url.hosts, "db.example.com");
    assert_string_equal(url.ports, "5432");
    assert_string_equal(url.name, "events");
    url = read_url("jdbc:postgresql://a:1,[::1]:2,b/my%20db?user=x%26y&password=%3D&ssl");
    assert_string_equal(url.hosts, "a,::1,b");
    assert_string_equal(url.ports, "1,2,5432");
    assert_string_equal(url.name, "my db");
    assert_string_equal(ps_pairs_get(&url.parameters, "user"), "x&y");
    assert_string_equal(ps_pairs_get(&url.parameters, "password"), "=");
    assert_string_equal(ps_pairs_get(&url.parameters, "ssl"), "");
    url = read_url("jdbc:postgresql://%2Frun%2Fpostgresql:5433/x");
    assert_string_equal(url.hosts, "/run/postgresql");
    assert_string_equal(url.ports, "5433");
    url = read_url("jdbc:postgresql:events");
    assert_string_equal(url.hosts, "");
    assert_string_equal(url.name, "events");
    assert_string_equal(read_url("jdbc:postgresql:/").name, "");
    assert_string_equal(read_url("JDBC:PostgreSQL://h/%zz%").name, "%zz%");
}

/* Every length of a URL is read within its bytes (the sanitizers look). */
static void test_cut_urls(void **state)
{
    static const char *const urls[] = {"jdbc:postgresql://a:1,[::1]:2,b/my%20db?user=x%26y&password=%3D&ssl",
                                       "jdbc:derby:directory:x;create=true;;=;y=", "jdbc:sqlite:x?&a=%4"};
    for (size_t i = 0; i < PS_COUNT_OF(urls); i++) {
        for (size_t length = 0; length <= strlen(urls[i]); length++) {
            char *text = strndup(urls[i], length);
            struct ps_jdbc_url url;
            (void)ps_jdbc_url_read(ps_test_arena(), text, &url, &err);
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derby),
        cmocka_unit_test(test_postgres),
        cmocka_unit_test(test_cut_urls),
    };
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
