/* Times as org.apache.commons.lang.time.FastDateFormat prints them: the rows were made by commons-lang 2.5 with Locale.US (`new
 * FastDateFormat(pattern, zone).format(ms)`). */
#include "tests/support/support.h"

#include <string.h>

#include "stages/lib/date/java_print.h"

static const struct {
    const char *pattern, *zone;
    int64_t ms;
    const char *text;
} rows[] = {
    {"yyyy-MM-dd", "Etc/UTC", INT64_C(0), "1970-01-01"},
    {"yyyy-MM-dd", "Europe/Berlin", INT64_C(1370009645123), "2013-05-31"},
    {"yyyy-MM-dd", "Asia/Kolkata", INT64_C(951782399999), "2000-02-29"},
    {"yyyy-MM-dd", "Etc/UTC", INT64_C(-1), "1969-12-31"},
    {"yyyy-MM-dd", "Europe/Berlin", INT64_C(1388534400000), "2014-01-01"},
    {"yyyy-MM-dd", "Asia/Kolkata", INT64_C(4102444799007), "2100-01-01"},
    {"yyyy.MM.dd", "Etc/UTC", INT64_C(0), "1970.01.01"},
    {"yyyy.MM.dd", "Europe/Berlin", INT64_C(1370009645123), "2013.05.31"},
    {"yyyy.MM.dd", "Asia/Kolkata", INT64_C(951782399999), "2000.02.29"},
    {"yyyy.MM.dd", "Etc/UTC", INT64_C(-1), "1969.12.31"},
    {"yyyy.MM.dd", "Europe/Berlin", INT64_C(1388534400000), "2014.01.01"},
    {"yyyy.MM.dd", "Asia/Kolkata", INT64_C(4102444799007), "2100.01.01"},
    {"yyyyMMddHH", "Etc/UTC", INT64_C(0), "1970010100"},
    {"yyyyMMddHH", "Europe/Berlin", INT64_C(1370009645123), "2013053116"},
    {"yyyyMMddHH", "Asia/Kolkata", INT64_C(951782399999), "2000022905"},
    {"yyyyMMddHH", "Etc/UTC", INT64_C(-1), "1969123123"},
    {"yyyyMMddHH", "Europe/Berlin", INT64_C(1388534400000), "2014010101"},
    {"yyyyMMddHH", "Asia/Kolkata", INT64_C(4102444799007), "2100010105"},
    {"yy-M-d", "Etc/UTC", INT64_C(0), "70-1-1"},
    {"yy-M-d", "Europe/Berlin", INT64_C(1370009645123), "13-5-31"},
    {"yy-M-d", "Asia/Kolkata", INT64_C(951782399999), "00-2-29"},
    {"yy-M-d", "Etc/UTC", INT64_C(-1), "69-12-31"},
    {"yy-M-d", "Europe/Berlin", INT64_C(1388534400000), "14-1-1"},
    {"yy-M-d", "Asia/Kolkata", INT64_C(4102444799007), "00-1-1"},
    {"yyyy-MMM", "Etc/UTC", INT64_C(0), "1970-Jan"},
    {"yyyy-MMM", "Europe/Berlin", INT64_C(1370009645123), "2013-May"},
    {"yyyy-MMM", "Asia/Kolkata", INT64_C(951782399999), "2000-Feb"},
    {"yyyy-MMM", "Etc/UTC", INT64_C(-1), "1969-Dec"},
    {"yyyy-MMM", "Europe/Berlin", INT64_C(1388534400000), "2014-Jan"},
    {"yyyy-MMM", "Asia/Kolkata", INT64_C(4102444799007), "2100-Jan"},
    {"MMMM EEEE", "Etc/UTC", INT64_C(0), "January Thursday"},
    {"MMMM EEEE", "Europe/Berlin", INT64_C(1370009645123), "May Friday"},
    {"MMMM EEEE", "Asia/Kolkata", INT64_C(951782399999), "February Tuesday"},
    {"MMMM EEEE", "Etc/UTC", INT64_C(-1), "December Wednesday"},
    {"MMMM EEEE", "Europe/Berlin", INT64_C(1388534400000), "January Wednesday"},
    {"MMMM EEEE", "Asia/Kolkata", INT64_C(4102444799007), "January Friday"},
    {"EEE d", "Etc/UTC", INT64_C(0), "Thu 1"},
    {"EEE d", "Europe/Berlin", INT64_C(1370009645123), "Fri 31"},
    {"EEE d", "Asia/Kolkata", INT64_C(951782399999), "Tue 29"},
    {"EEE d", "Etc/UTC", INT64_C(-1), "Wed 31"},
    {"EEE d", "Europe/Berlin", INT64_C(1388534400000), "Wed 1"},
    {"EEE d", "Asia/Kolkata", INT64_C(4102444799007), "Fri 1"},
    {"yyyy-DDD", "Etc/UTC", INT64_C(0), "1970-001"},
    {"yyyy-DDD", "Europe/Berlin", INT64_C(1370009645123), "2013-151"},
    {"yyyy-DDD", "Asia/Kolkata", INT64_C(951782399999), "2000-060"},
    {"yyyy-DDD", "Etc/UTC", INT64_C(-1), "1969-365"},
    {"yyyy-DDD", "Europe/Berlin", INT64_C(1388534400000), "2014-001"},
    {"yyyy-DDD", "Asia/Kolkata", INT64_C(4102444799007), "2100-001"},
    {"HH:mm:ss.SSS", "Etc/UTC", INT64_C(0), "00:00:00.000"},
    {"HH:mm:ss.SSS", "Europe/Berlin", INT64_C(1370009645123), "16:14:05.123"},
    {"HH:mm:ss.SSS", "Asia/Kolkata", INT64_C(951782399999), "05:29:59.999"},
    {"HH:mm:ss.SSS", "Etc/UTC", INT64_C(-1), "23:59:59.999"},
    {"HH:mm:ss.SSS", "Europe/Berlin", INT64_C(1388534400000), "01:00:00.000"},
    {"HH:mm:ss.SSS", "Asia/Kolkata", INT64_C(4102444799007), "05:29:59.007"},
    {"h a", "Etc/UTC", INT64_C(0), "12 AM"},
    {"h a", "Europe/Berlin", INT64_C(1370009645123), "4 PM"},
    {"h a", "Asia/Kolkata", INT64_C(951782399999), "5 AM"},
    {"h a", "Etc/UTC", INT64_C(-1), "11 PM"},
    {"h a", "Europe/Berlin", INT64_C(1388534400000), "1 AM"},
    {"h a", "Asia/Kolkata", INT64_C(4102444799007), "5 AM"},
    {"kk K", "Etc/UTC", INT64_C(0), "24 0"},
    {"kk K", "Europe/Berlin", INT64_C(1370009645123), "16 4"},
    {"kk K", "Asia/Kolkata", INT64_C(951782399999), "05 5"},
    {"kk K", "Etc/UTC", INT64_C(-1), "23 11"},
    {"kk K", "Europe/Berlin", INT64_C(1388534400000), "01 1"},
    {"kk K", "Asia/Kolkata", INT64_C(4102444799007), "05 5"},
    {"'week'yyyy", "Etc/UTC", INT64_C(0), "week1970"},
    {"'week'yyyy", "Europe/Berlin", INT64_C(1370009645123), "week2013"},
    {"'week'yyyy", "Asia/Kolkata", INT64_C(951782399999), "week2000"},
    {"'week'yyyy", "Etc/UTC", INT64_C(-1), "week1969"},
    {"'week'yyyy", "Europe/Berlin", INT64_C(1388534400000), "week2014"},
    {"'week'yyyy", "Asia/Kolkata", INT64_C(4102444799007), "week2100"},
    {"''yyyy''", "Etc/UTC", INT64_C(0), "'1970'"},
    {"''yyyy''", "Europe/Berlin", INT64_C(1370009645123), "'2013'"},
    {"''yyyy''", "Asia/Kolkata", INT64_C(951782399999), "'2000'"},
    {"''yyyy''", "Etc/UTC", INT64_C(-1), "'1969'"},
    {"''yyyy''", "Europe/Berlin", INT64_C(1388534400000), "'2014'"},
    {"''yyyy''", "Asia/Kolkata", INT64_C(4102444799007), "'2100'"},
    {"y", "Etc/UTC", INT64_C(0), "70"},
    {"y", "Europe/Berlin", INT64_C(1370009645123), "13"},
    {"y", "Asia/Kolkata", INT64_C(951782399999), "00"},
    {"y", "Etc/UTC", INT64_C(-1), "69"},
    {"y", "Europe/Berlin", INT64_C(1388534400000), "14"},
    {"y", "Asia/Kolkata", INT64_C(4102444799007), "00"},
    {"yyyyy", "Etc/UTC", INT64_C(0), "01970"},
    {"yyyyy", "Europe/Berlin", INT64_C(1370009645123), "02013"},
    {"yyyyy", "Asia/Kolkata", INT64_C(951782399999), "02000"},
    {"yyyyy", "Etc/UTC", INT64_C(-1), "01969"},
    {"yyyyy", "Europe/Berlin", INT64_C(1388534400000), "02014"},
    {"yyyyy", "Asia/Kolkata", INT64_C(4102444799007), "02100"},
    {"yyyy-MM-dd'T'HH", "Etc/UTC", INT64_C(0), "1970-01-01T00"},
    {"yyyy-MM-dd'T'HH", "Europe/Berlin", INT64_C(1370009645123), "2013-05-31T16"},
    {"yyyy-MM-dd'T'HH", "Asia/Kolkata", INT64_C(951782399999), "2000-02-29T05"},
    {"yyyy-MM-dd'T'HH", "Etc/UTC", INT64_C(-1), "1969-12-31T23"},
    {"yyyy-MM-dd'T'HH", "Europe/Berlin", INT64_C(1388534400000), "2014-01-01T01"},
    {"yyyy-MM-dd'T'HH", "Asia/Kolkata", INT64_C(4102444799007), "2100-01-01T05"},
    {"S ss s m", "Etc/UTC", INT64_C(0), "0 00 0 0"},
    {"S ss s m", "Europe/Berlin", INT64_C(1370009645123), "123 05 5 14"},
    {"S ss s m", "Asia/Kolkata", INT64_C(951782399999), "999 59 59 29"},
    {"S ss s m", "Etc/UTC", INT64_C(-1), "999 59 59 59"},
    {"S ss s m", "Europe/Berlin", INT64_C(1388534400000), "0 00 0 0"},
    {"S ss s m", "Asia/Kolkata", INT64_C(4102444799007), "7 59 59 29"},
    {"dd/MM/yyyy", "Etc/UTC", INT64_C(0), "01/01/1970"},
    {"dd/MM/yyyy", "Europe/Berlin", INT64_C(1370009645123), "31/05/2013"},
    {"dd/MM/yyyy", "Asia/Kolkata", INT64_C(951782399999), "29/02/2000"},
    {"dd/MM/yyyy", "Etc/UTC", INT64_C(-1), "31/12/1969"},
    {"dd/MM/yyyy", "Europe/Berlin", INT64_C(1388534400000), "01/01/2014"},
    {"dd/MM/yyyy", "Asia/Kolkata", INT64_C(4102444799007), "01/01/2100"},
};

static void test_rows(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {.length = 0};
        bool known;
        char text[PS_JAVA_PRINT_BYTES];
        const struct ps_time_zone *zone = ps_time_zone_load(arena, rows[i].zone, &known);
        const struct ps_java_print *print = ps_java_print_create(arena, rows[i].pattern, zone, &err);
        assert_non_null(print);
        uint32_t length = ps_java_print(print, rows[i].ms, text);
        if (length != strlen(rows[i].text) || memcmp(text, rows[i].text, length) != 0)
            fail_msg("%s at %lld in %s: %.*s, not %s", rows[i].pattern, (long long)rows[i].ms, rows[i].zone,
                     (int)length, text, rows[i].text);
    }
    ps_arena_destroy(arena);
}

static void test_refused(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    static const char *const patterns[] = {"yyyy-ww", "yyyy G", "HH z",
                                           "Z",       "Q",      "yyyyyyyyyyyyyyyyyyyyyyyyy"};
    for (size_t i = 0; i < PS_COUNT_OF(patterns); i++) {
        struct ps_err err = {.length = 0};
        assert_null(ps_java_print_create(arena, patterns[i], NULL, &err));
        assert_true(err.length > 0);
    }
    ps_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
