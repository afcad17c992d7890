/* The file of the page: the document and the text are in it, and none of their texts is markup.
 * tests/e2e/report_test.sh tests what a browser shows. */
#include "bench/report/report.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_ROOM (1U << 20)

static char folder[] = "/tmp/penstock-report-XXXXXX";

static json_t *sample(void)
{
    json_t *result = json_load_file(ps_test_source_path("tests/bench/data/plan-result.json"), 0, NULL);
    assert_non_null(result);
    return result;
}

/* Writes the page of a document and returns it. */
static char *page_of(const json_t *result)
{
    char path[128];
    struct ps_err err = {0};
    snprintf(path, sizeof(path), "%s/out.html", folder);
    assert_int_equal(ps_report_write(result, path, &err), PS_OK);
    FILE *from = fopen(path, "r");
    assert_non_null(from);
    char *page = calloc(1, PAGE_ROOM);
    assert_non_null(page);
    assert_in_range(fread(page, 1, PAGE_ROOM - 1, from), 1, PAGE_ROOM - 2);
    fclose(from);
    unlink(path);
    return page;
}

static void test_the_page_has_the_document(void **state)
{
    static const char begin[] = "<script type=\"application/json\" id=\"result\">",
                      end[] = "</script>\n</body>";
    json_t *result = sample();
    json_object_set_new(json_array_get(json_object_get(result, "limits"), 0), "text",
                        json_string("</script><script>alert(1)</script><!--<script>&lt; \u2028\"\\"));
    char *page = page_of(result), *json = strstr(page, begin);
    assert_non_null(json);
    json += strlen(begin);
    char *after = strstr(json, end);
    assert_non_null(after);
    assert_null(memchr(json, '<', (size_t)(after - json)));
    json_t *read = json_loadb(json, (size_t)(after - json), 0, NULL);
    assert_true(json_equal(read, result));
    json_decref(read);
    free(page);
    json_decref(result);
}

static void test_the_page_has_the_text(void **state)
{
    json_t *result = sample();
    json_object_set_new(json_array_get(json_object_get(result, "limits"), 0), "text",
                        json_string("</pre><img src=x onerror=alert(1)>&amp;"));
    char *page = page_of(result);
    assert_non_null(strstr(page, "812,000 events/s"));
    assert_non_null(strstr(page, "&lt;/pre>&lt;img src=x onerror=alert(1)>&amp;amp;"));
    assert_null(strstr(page, "<img"));
    free(page);
    json_decref(result);
}

static unsigned count_files(void)
{
    DIR *directory = opendir(folder);
    unsigned count = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void test_the_page_appears_whole(void **state)
{
    json_t *result = sample();
    struct ps_err err = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/out.html", folder);
    assert_int_equal(ps_report_write(result, path, &err), PS_OK);
    assert_int_equal(ps_report_write(result, path, &err), PS_OK); /* over the old one */
    assert_int_equal(count_files(), 1);
    unlink(path);

    snprintf(path, sizeof(path), "%s/nowhere/out.html", folder);
    assert_int_equal(ps_report_write(result, path, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "nowhere"));
    assert_int_equal(ps_report_write(result, folder, &err), PS_FAIL); /* a directory is not replaced */
    assert_non_null(strstr(err.text, folder));
    assert_int_equal(ps_report_write(result, "/dev/null", &err), PS_OK); /* nor is a device */
    assert_int_equal(access("/dev/null", W_OK), 0);
    assert_int_equal(count_files(), 0);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_has_the_document),
        cmocka_unit_test(test_the_page_has_the_text),
        cmocka_unit_test(test_the_page_appears_whole),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
