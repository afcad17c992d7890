/* Messages between the agent and its Java host: random ones come out as they went in, also if they arrive in pieces and several together;
 * the largest text, the most numbers, and lengths that cannot be. */
#include "stages/lib/java/exchange/message.h"

#include "tests/support/support.h"

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct ps_java_message wanted[20], got;

static uint32_t message_draw(char *to, struct ps_java_message *message)
{
    const uint32_t text_max = PS_JAVA_MESSAGE_BYTES_MAX - (uint32_t)sizeof(struct ps_java_head);
    message->type = (uint32_t)draw(80);
    message->link = (uint32_t)draw(1000);
    message->number_count = (uint32_t)draw(draw(4) == 0 ? PS_JAVA_NUMBERS_MAX + 1 : 10);
    for (uint32_t i = 0; i < message->number_count; i++)
        message->numbers[i] = ps_test_random(&state);
    uint32_t most = text_max - message->number_count * 8;
    uint32_t length = draw(4) == 0 ? most + 2 - (uint32_t)draw(most < 2 ? 3 : 5) : (uint32_t)draw(30);
    static char text[PS_JAVA_MESSAGE_BYTES_MAX + 8];
    for (uint32_t i = 0; i < length; i++)
        text[i] = (char)('a' + draw(26));
    text[length] = '\0';
    message->text_length = length < most ? length : most;
    memcpy(message->text, text, message->text_length);
    const struct ps_java_head head = {
        .type = message->type, .link = message->link, .number_count = message->number_count};
    uint32_t written =
        ps_java_message_write(to, &head, message->numbers, length == 0 && draw(2) == 0 ? NULL : text);
    assert_int_equal(written, sizeof head + message->number_count * 8 + message->text_length);
    return written;
}

static void test_drawn(void **unused)
{
    static char bytes[PS_COUNT_OF(wanted) * PS_JAVA_MESSAGE_BYTES_MAX];
    for (unsigned round = 0; round < 500; round++) {
        size_t length = 0, at = 0, there = 0, used, count = 1 + draw(PS_COUNT_OF(wanted));
        for (size_t i = 0; i < count; i++)
            length += message_draw(bytes + length, &wanted[i]);
        for (size_t i = 0; i < count;) {
            enum ps_java_parse parse = ps_java_message_parse(bytes + at, there - at, &got, &used);
            if (parse == PS_JAVA_PARTIAL) {
                assert_true(there < length);
                there += 1 + draw(length - there < 3000 ? length - there : 3000);
                continue;
            }
            assert_int_equal(parse, PS_JAVA_PARSED);
            at += used;
            assert_true(got.type == wanted[i].type && got.link == wanted[i].link);
            assert_int_equal(got.number_count, wanted[i].number_count);
            assert_memory_equal(got.numbers, wanted[i].numbers, got.number_count * sizeof got.numbers[0]);
            assert_int_equal(got.text_length, wanted[i].text_length);
            assert_int_equal(strlen(got.text), got.text_length);
            assert_memory_equal(got.text, wanted[i].text, got.text_length);
            i++;
        }
        assert_int_equal(at, length);
    }
}

static void test_bounds(void **unused)
{
    static char bytes[PS_JAVA_MESSAGE_BYTES_MAX + 16];
    const uint32_t least = (uint32_t)sizeof(struct ps_java_head);
    const struct {
        uint32_t length, numbers;
        enum ps_java_parse parse;
    } rows[] = {{least, 0, PS_JAVA_PARSED},
                {least - 1, 0, PS_JAVA_MALFORMED},
                {0, 0, PS_JAVA_MALFORMED},
                {least + 8, 1, PS_JAVA_PARSED},
                {least + 7, 1, PS_JAVA_MALFORMED},
                {least + 8 * PS_JAVA_NUMBERS_MAX, PS_JAVA_NUMBERS_MAX, PS_JAVA_PARSED},
                {least + 8 * PS_JAVA_NUMBERS_MAX + 8, PS_JAVA_NUMBERS_MAX + 1, PS_JAVA_MALFORMED},
                {least, UINT32_MAX, PS_JAVA_MALFORMED},
                {PS_JAVA_MESSAGE_BYTES_MAX, 0, PS_JAVA_PARSED},
                {PS_JAVA_MESSAGE_BYTES_MAX + 1, 0, PS_JAVA_MALFORMED},
                {UINT32_MAX, 0, PS_JAVA_MALFORMED}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        size_t used = 0;
        const struct ps_java_head head = {.length = rows[i].length, .number_count = rows[i].numbers};
        memcpy(bytes, &head, sizeof head);
        assert_int_equal(ps_java_message_parse(bytes, sizeof bytes, &got, &used), rows[i].parse);
        if (rows[i].parse != PS_JAVA_PARSED)
            continue;
        assert_int_equal(used, rows[i].length);
        assert_int_equal(ps_java_message_parse(bytes, rows[i].length - 1, &got, &used), PS_JAVA_PARTIAL);
        assert_int_equal(ps_java_message_parse(bytes, rows[i].length, &got, &used), PS_JAVA_PARSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_bounds)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
