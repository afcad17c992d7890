/* The table of produce errors: sorted, complete, and the same as docs/KAFKA_ERRORS.md. Set
 * PENSTOCK_REGENERATE=1 to write the page. */
#include "stages/lib/kafka/errors.h"
#include "tests/support/support.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <unistd.h>

static const char *source_folder(void)
{
    const char *folder = getenv("PENSTOCK_SOURCE");
    return folder != NULL ? folder : ".";
}

static void print_page(FILE *out)
{
    static const struct {
        enum ps_kafka_outcome outcome;
        const char *name, *text;
    } outcomes[] = {
        {PS_KAFKA_DELIVERED, "DELIVERED", "The event is settled."},
        {PS_KAFKA_AGAIN, "AGAIN",
         "Temporary: the client sends the request again, in order, without limit. If the error still reaches "
         "the sink\n"
         "(`delivery.timeout.ms`), undelivered events are sent again, in order, after 1, 2, .. 5 s. So is "
         "any error that is not "
         "listed."},
        {PS_KAFKA_WAIT, "WAIT",
         "An operator must correct something: like AGAIN, and the log names the remedy."},
        {PS_KAFKA_SPLIT, "SPLIT",
         "The request was too large: it is halved until it fits; a single event that is too large is "
         "blamed."},
        {PS_KAFKA_BLAME, "BLAME",
         "The broker refuses a record: the one that it names (Kafka 2.4 and newer, with the native engine); "
         "else "
         "requests are halved\n"
         "until a single event is left. This event is logged (topic, partition, length, headers), counted "
         "(`refused`), and tried\n"
         "again after 1, 2, .. 5 s; no event after it is sent before it. INVALID_TIMESTAMP of events without "
         "a timestamp header is\n"
         "WAIT: the time of sending is wrong, check this agent's clock."},
        {PS_KAFKA_RENEW, "RENEW",
         "This producer cannot continue: a new one is made and undelivered events are sent again, in order; "
         "those that may already\n"
         "be in the log are counted (`duplicated`)."},
        {PS_KAFKA_PURGED, "PURGED", "The sink purged the event, to send it again."},
    };
    fputs(
        "# What the Kafka sink does with every produce error\n\n"
        "Printed from the table in `stages/lib/kafka/errors.def`; a test compares the two. Codes above zero "
        "are Kafka's own,\n"
        "codes from -200 to -100 are librdkafka's. No outcome loses an event.\n",
        out);
    for (size_t k = 0; k < PS_COUNT_OF(outcomes); k++) {
        fprintf(out, "\n## %s\n\n%s\n\n| code | name | meaning, and what to do |\n|---:|---|---|\n",
                outcomes[k].name, outcomes[k].text);
        for (size_t i = 0; i < ps_kafka_error_count; i++) {
            const struct ps_kafka_error *error = &ps_kafka_errors[i];
            if (error->outcome == outcomes[k].outcome)
                fprintf(out, "| %d | %s | %s |\n", error->code, error->name, error->meaning);
        }
    }
}

static void test_page_is_the_table(void **state)
{
    char path[1024], *page = NULL, *file;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/docs/KAFKA_ERRORS.md", source_folder());
    FILE *out = open_memstream(&page, &length);
    assert_non_null(out);
    print_page(out);
    fclose(out);
    if (getenv("PENSTOCK_REGENERATE") != NULL) {
        FILE *in = fopen(path, "w");
        assert_non_null(in);
        assert_int_equal(fwrite(page, 1, length, in), length);
        fclose(in);
    }
    FILE *in = fopen(path, "r");
    if (in == NULL)
        fail_msg("%s is missing", path);
    file = calloc(1, length + 2);
    assert_non_null(file);
    assert_int_equal(fread(file, 1, length + 1, in), length);
    fclose(in);
    assert_string_equal(file, page);
    free(file);
    free(page);
}

static void test_sorted_and_found(void **state)
{
    for (size_t i = 0; i < ps_kafka_error_count; i++) {
        assert_true(i == 0 || ps_kafka_errors[i - 1].code < ps_kafka_errors[i].code);
        assert_ptr_equal(ps_kafka_error_find(ps_kafka_errors[i].code), &ps_kafka_errors[i]);
        assert_true(strlen(ps_kafka_errors[i].meaning) > 10);
    }
    assert_int_equal(ps_kafka_error_find(12345)->outcome, PS_KAFKA_AGAIN);
    assert_int_equal(ps_kafka_error_find(0)->outcome, PS_KAFKA_DELIVERED);
}

/* The names are librdkafka's, or Kafka's where librdkafka spells them differently. */
static void test_names_are_the_librarys(void **state)
{
    static const struct {
        int code;
        const char *library;
    } others[] = {{2, "INVALID_MSG"},         {3, "UNKNOWN_TOPIC_OR_PART"},
                  {4, "INVALID_MSG_SIZE"},    {6, "NOT_LEADER_FOR_PARTITION"},
                  {10, "MSG_SIZE_TOO_LARGE"}, {17, "TOPIC_EXCEPTION"}};
    for (size_t i = 0; i < ps_kafka_error_count; i++) {
        const struct ps_kafka_error *error = &ps_kafka_errors[i];
        const char *name = error->name;
        if (error->code > RD_KAFKA_RESP_ERR_PRINCIPAL_DESERIALIZATION_FAILURE) /* newer than librdkafka 2.0 */
            continue;
        for (size_t k = 0; k < PS_COUNT_OF(others); k++) {
            if (others[k].code == error->code)
                name = others[k].library;
        }
        assert_string_equal(name, rd_kafka_err2name((rd_kafka_resp_err_t)error->code));
    }
}

/* Every error in a response to a ProduceRequest (Errors.java, "ProduceResponse" in the protocol's
 * documentation of Kafka 3.9) has a row. */
static void test_produce_answers_have_rows(void **state)
{
    static const int codes[] = {-1, 0,  2,  3,  5,  6,  7,  8,  9,  10, 13, 17, 18, 19, 20,
                                21, 29, 31, 32, 33, 34, 35, 41, 42, 43, 44, 45, 46, 47, 48,
                                49, 53, 56, 58, 59, 72, 74, 75, 76, 77, 83, 87, 89, 90};
    for (size_t i = 0; i < PS_COUNT_OF(codes); i++)
        assert_int_equal(ps_kafka_error_find(codes[i])->code, codes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_the_table),
        cmocka_unit_test(test_sorted_and_found),
        cmocka_unit_test(test_names_are_the_librarys),
        cmocka_unit_test(test_produce_answers_have_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
