/* The entries of jars: compressed or not, large, empty, damaged; and jars that libzip reads, because they are not ordinary ones. */
#include "tests/support/support.h"

#include "conf/java/jar.h"
#include "tests/support/folder.h"
#include "tests/support/no_descriptors.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define LARGE 100000U
#define LIMIT (1U << 20)

static char large[LARGE];

static void add(zip_t *zip, const char *name, const void *bytes, size_t length, bool packed)
{
    zip_int64_t index = zip_file_add(zip, name, zip_source_buffer(zip, bytes, length, 0), 0);
    assert_true(index >= 0);
    assert_int_equal(
        zip_set_file_compression(zip, (zip_uint64_t)index, packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0), 0);
}

static const char *make(const char *comment)
{
    const char *path = ps_test_folder_path("some.jar");
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)('a' + i % 23 + i % 3);
    add(zip, "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n", 23, true);
    add(zip, "org/example/", "", 0, false);
    add(zip, "org/example/Stored.class", "stored bytes", 12, false);
    add(zip, "org/example/Large.class", large, LARGE, true);
    if (comment != NULL)
        assert_int_equal(zip_set_archive_comment(zip, comment, (zip_uint16_t)strlen(comment)), 0);
    assert_int_equal(zip_close(zip), 0);
    return path;
}

static void assert_entry(struct ps_jar *jar, const char *name, const char *wanted, size_t wanted_length)
{
    char *bytes = NULL;
    size_t length = 0;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_jar_read(jar, name, LIMIT, &bytes, &length, &err), PS_JAR_READ);
    assert_int_equal(length, wanted_length);
    assert_memory_equal(bytes, wanted, wanted_length);
    free(bytes);
}

static void assert_all(const char *path)
{
    static const char *const names[] = {"META-INF/MANIFEST.MF", "org/example/", "org/example/Stored.class",
                                        "org/example/Large.class"};
    struct ps_err err = {.length = 0};
    int error;
    struct ps_jar *jar = ps_jar_open(path, &error, &err);
    assert_non_null(jar);
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        assert_string_equal(ps_jar_entry(jar, i), names[i]);
    assert_null(ps_jar_entry(jar, PS_COUNT_OF(names)));
    assert_entry(jar, names[0], "Manifest-Version: 1.0\r\n", 23);
    assert_entry(jar, names[1], "", 0);
    assert_entry(jar, names[2], "stored bytes", 12);
    assert_entry(jar, names[3], large, LARGE);
    char *bytes;
    size_t length;
    assert_int_equal(ps_jar_read(jar, "org/example/Absent.class", LIMIT, &bytes, &length, &err),
                     PS_JAR_ABSENT);
    assert_int_equal(ps_jar_read(jar, names[3], LARGE - 1, &bytes, &length, &err), PS_JAR_BAD);
    assert_non_null(strstr(err.text, "org/example/Large.class cannot be read"));
    ps_jar_close(jar);
}

static void test_ordinary(void **unused)
{
    assert_all(make(NULL));
}

static void test_with_a_comment(void **unused)
{
    assert_all(make("signed by nobody"));
}

static void test_damaged_entry(void **unused)
{
    static char bytes[2 * LARGE];
    const char *path = make(NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    char *at = memmem(bytes, length, "stored bytes", 12);
    assert_non_null(at);
    assert_int_equal(fseek(file, at - bytes, SEEK_SET), 0);
    assert_int_equal(fwrite("S", 1, 1, file), 1);
    fclose(file);
    struct ps_err err = {.length = 0};
    int error;
    struct ps_jar *jar = ps_jar_open(path, &error, &err);
    assert_non_null(jar);
    char *got;
    size_t got_length;
    assert_int_equal(ps_jar_read(jar, "org/example/Stored.class", LIMIT, &got, &got_length, &err),
                     PS_JAR_BAD);
    assert_non_null(strstr(err.text, "org/example/Stored.class is damaged"));
    assert_entry(jar, "org/example/Large.class", large, LARGE);
    ps_jar_close(jar);
}

/* A good jar that cannot be opened now does not count as a bad jar. */
static void test_no_descriptor(void **unused)
{
    const char *path = make(NULL);
    struct ps_err err = {.length = 0};
    int error = 0;
    struct rlimit before;
    ps_test_no_descriptors(&before);
    struct ps_jar *jar = ps_jar_open(path, &error, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(jar);
    assert_int_equal(error, EMFILE);
    assert_non_null(strstr(err.text, "Too many open files"));
    assert_null(strstr(err.text, "is not a jar"));
    ps_test_folder_append("other.jar", "PK", 2);
    assert_null(ps_jar_open(ps_test_folder_path("other.jar"), &error, &err));
    assert_int_equal(error, 0); /* it is not a jar */
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_ordinary),
        IN_FOLDER(test_with_a_comment),
        IN_FOLDER(test_damaged_entry),
        IN_FOLDER(test_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
