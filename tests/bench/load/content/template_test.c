/* Templates are parsed as documented, and errors name column, reason and cure. */
#include "tests/support/support.h"

#include "bench/load/content/content.h"
#include "bench/load/content/template.h"

struct parsed {
    struct ps_arena *arena;
    struct ps_template *template;
    enum ps_status status;
    struct ps_err err;
};

static void parse(struct parsed *parsed, const char *text)
{
    memset(parsed, 0, sizeof *parsed);
    parsed->arena = ps_arena_create();
    parsed->template = calloc(1, sizeof *parsed->template);
    assert_non_null(parsed->template);
    parsed->status = ps_template_parse(parsed->template, parsed->arena, text, &parsed->err);
}

static void parsed_free(struct parsed *parsed)
{
    ps_arena_destroy(parsed->arena);
    free(parsed->template);
}

/* Text outside of fields. */
static void test_text(void **state)
{
    static const struct {
        const char *template, *text;
    } cases[] = {
        {"plain", "plain"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
        {"{{seq}", "{seq}"},
        {"{{{{", "{{"},
        {"a } b }} c", "a } b }} c"},
        {"{ {1} {A}", "{ {1} {A}"},
        {"ends with {", "ends with {"},
        {"back\\slash \\n", "back\\slash \\n"},
        {"", NULL},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        struct parsed parsed;
        parse(&parsed, cases[i].template);
        assert_int_equal(parsed.status, PS_OK);
        assert_int_equal(parsed.template->count, cases[i].text != NULL);
        if (cases[i].text != NULL) {
            assert_int_equal(parsed.template->parts[0].kind, PS_TEMPLATE_TEXT);
            assert_int_equal(parsed.template->parts[0].length, strlen(cases[i].text));
            assert_memory_equal(parsed.template->parts[0].text, cases[i].text, strlen(cases[i].text));
        }
        parsed_free(&parsed);
    }
}

static void test_parts(void **state)
{
    struct parsed parsed;
    parse(&parsed,
          "a{seq:width=7}b{int:zipf:3..9,s=2,width=4}{float:1..2,digits=3}{choice:a\\=b=2,c\\,d,e\\}f=0.5,}"
          "{hex:5}{ip:192.168.7.9/30}{words:2..5}{time:%H:%M,zone=UTC}{stamp}{pad}{size:10..20}{uuid}");
    if (parsed.status != PS_OK)
        fail_msg("%s", parsed.err.text);
    const struct ps_template_part *parts = parsed.template->parts;
    static const enum ps_template_kind kinds[] = {
        PS_TEMPLATE_TEXT,   PS_TEMPLATE_SEQ, PS_TEMPLATE_TEXT, PS_TEMPLATE_INT,   PS_TEMPLATE_FLOAT,
        PS_TEMPLATE_CHOICE, PS_TEMPLATE_HEX, PS_TEMPLATE_IP,   PS_TEMPLATE_WORDS, PS_TEMPLATE_TIME,
        PS_TEMPLATE_STAMP,  PS_TEMPLATE_PAD, PS_TEMPLATE_SIZE, PS_TEMPLATE_UUID};
    assert_int_equal(parsed.template->count, PS_COUNT_OF(kinds));
    for (unsigned i = 0; i < PS_COUNT_OF(kinds); i++)
        assert_int_equal(parts[i].kind, kinds[i]);
    assert_int_equal(parts[1].width, 7);
    assert_int_equal(parts[3].width, 4);
    assert_int_equal(parts[3].distribution.kind, PS_DISTRIBUTION_ZIPF);
    assert_int_equal(parts[3].distribution.min, 3);
    assert_int_equal(parts[3].distribution.max, 9);
    assert_int_equal(parts[4].digits, 3);
    static const char *const texts[] = {"a=b", "c,d", "e}f", ""};
    assert_int_equal(parts[5].alias.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(parts[5].texts[i].length, strlen(texts[i]));
        assert_memory_equal(parts[5].texts[i].data, texts[i], strlen(texts[i]));
    }
    assert_int_equal(parts[6].width, 5);
    assert_int_equal(parts[7].network, 0xc0a80708);
    assert_int_equal(parts[7].host_bits, 2);
    assert_int_equal(parts[8].distribution.max, 5);
    assert_int_equal(parts[9].time, PS_TIME_STRFTIME);
    assert_string_equal(parts[9].text, "%H:%M");
    assert_non_null(parts[9].zone);
    assert_int_equal(parts[12].distribution.min, 10);
    parsed_free(&parsed);
}

static void test_defaults(void **state)
{
    struct parsed parsed;
    parse(&parsed, "{hex}{ip}{words}{time}");
    const struct ps_template_part *parts = parsed.template->parts;
    assert_int_equal(parsed.status, PS_OK);
    assert_int_equal(parts[0].width, 16);
    assert_int_equal(parts[1].network, 0x0a000000);
    assert_int_equal(parts[1].host_bits, 24);
    assert_int_equal(parts[2].distribution.min, 3);
    assert_int_equal(parts[2].distribution.max, 8);
    assert_int_equal(parts[3].time, PS_TIME_RFC3339);
    parsed_free(&parsed);
}

static void test_errors(void **state)
{
    static const struct {
        const char *template, *message;
    } cases[] = {
        {"<13>a name here {hots}", "template, column 17: there is no field {hots}; did you mean {host}?"},
        {"\xc3\xa4\xc3\xb6 {sequ}", "template, column 4: there is no field {sequ}; did you mean {seq}?"},
        {"{x}", "template, column 1: there is no field {x}; write {{ for a brace"},
        {"{abc", "template, column 1: there is no field {abc}; write {{ for a brace"},
        {"a {seq", "template, column 3: {seq is not closed: a } is missing"},
        {"a {int:1..5", "template, column 3: {int is not closed: a } is missing"},
        {"{int}", "template, column 1: {int}: write a number or a range LOW..HIGH"},
        {"{int:}", "template, column 6: {int}: write a number or a range LOW..HIGH"},
        {"{int:1..x}", "template, column 6: {int}: `1..x` is neither a whole number nor a range LOW..HIGH"},
        {"{int:1.5}", "template, column 6: {int}: `1.5` is neither a whole number nor a range LOW..HIGH"},
        {"{int:9..1}", "template, column 6: {int}: the range 9..1 is reversed"},
        {"{int:99999999999999999999}",
         "template, column 6: {int}: `99999999999999999999` is neither a whole number nor a range LOW..HIGH"},
        {"{int:unifrom:1..2}", "template, column 1: {int}: there is no distribution unifrom, did you mean "
                               "uniform?; use uniform, zipf, normal or choice"},
        {"{int:1..100,width=2}", "template, column 6: {int}: width=2 cannot hold 100"},
        {"{int:-5..5,width=2}", "template, column 6: {int}: width=2 cannot hold -5"},
        {"{int:1..5,width=40}", "template, column 11: {int}: width=40 is not a number from 1 to 18"},
        {"{int:1..5,with=4}", "template, column 11: {int} does not take `with=4`; it is written "
                              "{int:DISTRIBUTION[,width=DIGITS]}"},
        {"{int:zipf:1..10,s=0}", "template, column 17: {int}: s=0 must be above 0 and at most 10"},
        {"{int:zipf:0..9223372036854775807}", "template, column 11: {int}: more than 2^48 ranks"},
        {"{int:normal:mean=5}", "template, column 13: {int}: sd= is missing"},
        {"{int:normal:mean=5,sd=-1}", "template, column 20: {int}: sd= is below 0"},
        {"{int:normal:mean=5,sd=nan}", "template, column 20: {int}: sd=nan is not a number"},
        {"{int:normal:mean=5,sd=1,min=9,max=8}", "template, column 31: {int}: min= is above max="},
        {"{int:choice:5=1,6=0}",
         "template, column 17: {int}: the weight of 6 is `0`; it must be a number above 0"},
        {"{int:choice:5,x}", "template, column 15: {int}: `x` is not a whole number"},
        {"{float:zipf:1..5}", "template, column 1: {float}: zipf draws whole numbers; use it in {int}"},
        {"{float:0..1,digits=10}", "template, column 13: {float}: digits=10 is not a number from 0 to 9"},
        {"{float:0..1e10,digits=9}",
         "template, column 8: {float}: 1e+10 with 9 digits after the point is too long"},
        {"{choice}", "template, column 1: {choice}: there is nothing to choose from; write for example "
                     "{choice:GET=70,POST=20,PUT=10}"},
        {"{choice:GET=70,POST=many}",
         "template, column 16: {choice}: the weight of POST is `many`; it must be a number above 0"},
        {"{time:rfc3339us}",
         "template, column 7: {time}: there is no time format rfc3339us; did you mean rfc3339_us?"},
        {"{time:rfc3164,zone=Mars/Base}", "template, column 15: {time}: there is no time zone Mars/Base; "
                                          "write for example "
                                          "local, UTC, Europe/Berlin or GMT+02:00"},
        {"{time:%s}", "template, column 7: {time}: for seconds since the epoch write {time:epoch_s}, not %s"},
        {"{hex:0}", "template, column 6: {hex}: `0` is not a number of digits from 1 to 1024"},
        {"{hex:2000}", "template, column 6: {hex}: `2000` is not a number of digits from 1 to 1024"},
        {"{ip:10.0.0.0/33}",
         "template, column 5: {ip}: `10.0.0.0/33` is not an IPv4 network such as 10.0.0.0/8"},
        {"{ip:10.0.0}", "template, column 5: {ip}: `10.0.0` is not an IPv4 network such as 10.0.0.0/8"},
        {"{words:0..3}", "template, column 8: {words}: from 0 to 3 words; they can be from 1 to 1000"},
        {"{size:0..3}",
         "template, column 7: {size}: from 0 to 3 bytes; an event can have from 1 to 16,777,216"},
        {"{uuid:4}", "template, column 7: {uuid} does not take `4`; it is written {uuid}"},
        {"{pad} {pad}", "template, column 7: {pad} is used for the second time here"},
        {"{stamp}{stamp}", "template, column 8: {stamp} is used for the second time here"},
        {"{line}", "template, column 1: {line} needs a file to take lines from: --lines FILE"},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        struct parsed parsed;
        parse(&parsed, cases[i].template);
        if (parsed.status == PS_OK)
            fail_msg("%s is taken", cases[i].template);
        assert_string_equal(parsed.err.text, cases[i].message);
        parsed_free(&parsed);
    }
}

static void test_limits(void **state)
{
    struct parsed parsed;
    char *text = malloc(PS_TEMPLATE_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, 'x', PS_TEMPLATE_BYTES_MAX + 1);
    text[PS_TEMPLATE_BYTES_MAX + 1] = '\0';
    parse(&parsed, text);
    assert_int_equal(parsed.status, PS_FAIL);
    assert_string_equal(parsed.err.text, "template: it has 65,537 bytes, and the limit is 65,536");
    parsed_free(&parsed);
    text[PS_TEMPLATE_BYTES_MAX] = '\0';
    parse(&parsed, text);
    assert_int_equal(parsed.status, PS_OK);
    parsed_free(&parsed);
    for (unsigned i = 0; i <= PS_TEMPLATE_PARTS_MAX; i++)
        memcpy(text + i * 5U, "{seq}", 6);
    parse(&parsed, text);
    assert_int_equal(parsed.status, PS_FAIL);
    assert_string_equal(parsed.err.text, "template, column 1281: more than 256 fields and texts");
    parsed_free(&parsed);
    free(text);
}

/* Each field of the table works as shown there, with and without its optional arguments. */
static void test_table(void **state)
{
    static const char *const examples[] = {
        "{int:1..5}", "{float:1..5}", "{choice:a,b}", "{seq}",   "{source}", "{host}", "{time}",
        "{uuid}",     "{hex}",        "{ip}",         "{words}", "{stamp}",  "{pad}",  "{size:50}"};
    unsigned found = 0;
    for (const struct ps_template_field *field = ps_template_fields; field->name != NULL; field++) {
        assert_true(strlen(field->summary) > 10);
        for (unsigned i = 0; i < PS_COUNT_OF(examples); i++) {
            size_t length = strcspn(examples[i] + 1, ":}");
            if (strlen(field->name) != length || memcmp(field->name, examples[i] + 1, length) != 0)
                continue;
            struct parsed parsed;
            parse(&parsed, examples[i]);
            assert_int_equal(parsed.status, PS_OK);
            assert_int_equal(parsed.template->parts[0].kind, field->kind);
            assert_true((field->arguments[0] == ':') == (examples[i][length + 1] == ':'));
            parsed_free(&parsed);
            found++;
        }
    }
    assert_int_equal(found, PS_COUNT_OF(examples));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_parts),  cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_limits), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
