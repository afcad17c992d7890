/* Classes of jars and folders: where each class was found, its kind, and similar names; damaged jars. */
#include "tests/support/support.h"

#include "conf/java/classes.h"
#include "tests/support/folder.h"
#include "tests/support/java_class.h"
#include "tests/support/no_descriptors.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FLUME "org/apache/flume/"
#define SINK "org.apache.flume.Sink"

static const struct ps_test_class flume[] = {
    {.name = FLUME "Sink", .more_access = 0x0600},
    {.name = FLUME "sink/AbstractSink", .interfaces = {FLUME "Sink"}, .more_access = 0x0400},
    {.name = FLUME "interceptor/Interceptor$Builder", .more_access = 0x0600},
    {.name = NULL}};
static const struct ps_test_class own[] = {
    {.name = "org/example/MySink", .super = FLUME "sink/AbstractSink"},
    {.name = "org/example/Lost", .super = "org/example/Absent", .interfaces = {"java/lang/Runnable"}},
    {.name = "org/example/Circle", .super = "org/example/Circle2"},
    {.name = "org/example/Circle2", .super = "org/example/Circle"},
    {.name = "org/example/Filter"},
    {.name = "org/example/Filter$Builder", .interfaces = {FLUME "interceptor/Interceptor$Builder"}},
    {.name = NULL}};
static const struct ps_test_class named[] = {{.name = "org/example/Named"}, {.name = NULL}};

static const char *in_folder(const char *name)
{
    return ps_test_folder_path(name);
}

static struct ps_classes *open_folder(void)
{
    static char texts[3][256];
    static const char *items[3] = {texts[0], texts[1], texts[2]};
    assert_int_equal(mkdir(in_folder("lib"), 0700), 0);
    assert_int_equal(mkdir(in_folder("classes"), 0700), 0);
    assert_int_equal(mkdir(in_folder("classes/org"), 0700), 0);
    ps_test_jar_write(in_folder("lib/flume.jar"), flume, NULL);
    ps_test_jar_write(in_folder("own.jar"), own,
                      "Manifest-Version: 1.0\r\nClass-Path: absent.jar na\r\n med.jar own.jar\r\n\r\n");
    ps_test_jar_write(in_folder("named.jar"), named, NULL);
    ps_test_folder_append("lib/bad.jar", "PK\003\004 and no more", 16);
    ps_test_folder_append("classes/org/Bad.class", "\xCA\xFE\xBA\xBE", 4);
    snprintf(texts[0], sizeof texts[0], "%s/*", in_folder("lib"));
    snprintf(texts[1], sizeof texts[1], "%s", in_folder("own.jar"));
    snprintf(texts[2], sizeof texts[2], "%s", in_folder("classes"));
    return ps_classes_open(&(struct ps_texts){3, items});
}

static void test_where_a_class_is(void **state)
{
    struct ps_classes *classes = open_folder();
    struct ps_class found;
    assert_int_equal(ps_classes_jars(classes), 3);
    assert_int_equal(ps_classes_folders(classes), 1);
    assert_int_equal(ps_classes_unread(classes)->count, 1);
    assert_non_null(strstr(ps_classes_unread(classes)->items[0], "lib/bad.jar is not a jar"));
    assert_true(ps_classes_find(classes, "org.example.MySink", &found));
    assert_string_equal(found.place, in_folder("own.jar"));
    assert_null(found.damage);
    assert_true(ps_classes_find(classes, "org.example.Named", &found)); /* its jar is in a manifest */
    assert_string_equal(found.place, in_folder("named.jar"));
    assert_true(ps_classes_find(classes, "org.Bad", &found));
    assert_non_null(strstr(found.damage, "cut short"));
    static const char *const absent[] = {"", "org.example.mysink", "org/example/MySink", "..etc.passwd",
                                         "MySink"};
    for (size_t i = 0; i < PS_COUNT_OF(absent); i++)
        assert_false(ps_classes_find(classes, absent[i], &found));
    ps_classes_close(classes);
}

/* An entry of a manifest is a URL: it may have escapes, and one that ends with a slash is a folder. */
static void test_what_a_manifest_names(void **state)
{
    char text[256];
    const char *item = text;
    struct ps_class found;
    assert_int_equal(mkdir(in_folder("in folder"), 0700), 0);
    assert_int_equal(mkdir(in_folder("in folder/org"), 0700), 0);
    ps_test_folder_append("in folder/org/Bad.class", "\xCA\xFE\xBA\xBE", 4);
    ps_test_jar_write(in_folder("with blank.jar"), named, NULL);
    ps_test_jar_write(in_folder("main.jar"), own,
                      "Manifest-Version: 1.0\r\n"
                      "Class-Path: with%20blank.jar in%20folder/ 100% %00 in%20folder\r\n\r\n");
    snprintf(text, sizeof text, "%s", in_folder("main.jar"));
    struct ps_classes *classes = ps_classes_open(&(struct ps_texts){1, &item});
    assert_int_equal(ps_classes_jars(classes), 2);
    assert_int_equal(ps_classes_folders(classes), 1);
    assert_true(ps_classes_find(classes, "org.example.Named", &found));
    assert_string_equal(found.place, in_folder("with blank.jar"));
    assert_true(ps_classes_find(classes, "org.Bad", &found));
    assert_string_equal(found.place, in_folder("in folder"));
    ps_classes_close(classes);
}

/* Reads the jars of the folder `jars` in the order of the directory, which is also that of the JVM. */
static size_t read_directory(char names[][1024], size_t room)
{
    DIR *directory = opendir(in_folder("jars"));
    size_t count = 0;
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL && count < room;) {
        if (strstr(entry->d_name, ".jar") != NULL)
            snprintf(names[count++], sizeof names[0], "%s/%s", in_folder("jars"), entry->d_name);
    }
    closedir(directory);
    return count;
}

/* A class that several jars of a folder have comes from the first one in the directory, whatever its name is. */
static void test_jars_of_a_folder_are_in_order(void **state)
{
    enum { JARS = 24 };
    char text[256], path[32], names[JARS][1024];
    const char *item = text;
    struct ps_class found;
    assert_int_equal(mkdir(in_folder("jars"), 0700), 0);
    for (int i = 0; i < JARS; i++) {
        snprintf(path, sizeof path, "jars/%c.jar", 'a' + i * 7 % JARS);
        ps_test_jar_write(in_folder(path), named, NULL);
    }
    snprintf(text, sizeof text, "%s/*", in_folder("jars"));
    struct ps_classes *classes = ps_classes_open(&(struct ps_texts){1, &item});
    assert_int_equal(ps_classes_jars(classes), JARS);
    assert_int_equal(read_directory(names, JARS), JARS);
    assert_true(ps_classes_find(classes, "org.example.Named", &found));
    assert_string_equal(found.place, names[0]);
    const char *other;
    assert_true(ps_classes_again(classes, "org.example.Named", &found, &other));
    assert_string_equal(other, names[1]);
    found.place = names[JARS - 1];
    assert_false(ps_classes_again(classes, "org.example.Named", &found, &other));
    ps_classes_close(classes);
}

static void test_what_a_class_is(void **state)
{
    static const struct {
        const char *name, *target;
        bool yes;
        const char *missing;
    } rows[] = {
        {"org.example.MySink", SINK, true, NULL},
        {"org.example.MySink", "org.apache.flume.Source", false, NULL},
        {"org.example.Lost", SINK, false, "org.example.Absent"},
        {"org.example.Circle", SINK, false, NULL},
        {"org.example.Filter$Builder", "org.apache.flume.interceptor.Interceptor$Builder", true, NULL},
    };
    struct ps_classes *classes = open_folder();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_class class;
        const char *missing = "";
        assert_true(ps_classes_find(classes, rows[i].name, &class));
        assert_int_equal(ps_classes_is_a(classes, &class, rows[i].target, &missing), rows[i].yes);
        assert_true((missing == NULL) == (rows[i].missing == NULL));
        if (missing != NULL)
            assert_string_equal(missing, rows[i].missing);
    }
    ps_classes_close(classes);
}

/* A damaged class is no component, even if what it extends can still be read, or nothing at all; and it is not proposed. */
static void test_damaged_classes(void **state)
{
    static const struct ps_test_class sink = {.name = "Cut", .super = FLUME "sink/AbstractSink"};
    uint8_t bytes[PS_TEST_CLASS_BYTES];
    struct ps_classes *classes = open_folder();
    struct ps_class found;
    const char *missing = "";
    size_t length = ps_test_class_write(&sink, bytes);
    ps_test_folder_append("classes/Cut.class", bytes, length - 4);
    ps_test_folder_append("classes/Other.class", bytes, length);
    ps_test_folder_append("classes/Cud.class", bytes, 9);
    static const char *const names[] = {"Cut", "Other", "Cud", "org.Bad"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        assert_true(ps_classes_find(classes, names[i], &found));
        assert_non_null(found.damage);
        assert_false(ps_classes_is_a(classes, &found, SINK, &missing));
        assert_null(missing);
    }
    ps_classes_close(classes);
}

static void test_did_you_mean(void **state)
{
    static const char builder[] = "org.apache.flume.interceptor.Interceptor$Builder";
    struct ps_classes *classes = open_folder();
    assert_string_equal(ps_classes_nearest(classes, "org.exampl.MySnik", SINK), "org.example.MySink");
    assert_null(ps_classes_nearest(classes, "org.example.MySinkk", builder)); /* MySink is no such builder */
    assert_string_equal(ps_classes_nearest(classes, "org.example.Filter.Builder", builder),
                        "org.example.Filter$Builder");
    assert_string_equal(ps_classes_nearest(classes, "org.example.Filter", builder),
                        "org.example.Filter$Builder");
    static const char *const sinks[] = {"org/example/MySink", "org.example.MySink;",
                                        "org.example.MySink.class", "org.example.MySink$Builder", "MySink"};
    for (size_t i = 0; i < PS_COUNT_OF(sinks); i++)
        assert_string_equal(ps_classes_nearest(classes, sinks[i], SINK), "org.example.MySink");
    static const char *const builders[] = {"org.example.Filter$Builder.class", "Filter$Builder",
                                           "org.example.Filter$Companion$Builder"};
    for (size_t i = 0; i < PS_COUNT_OF(builders); i++)
        assert_string_equal(ps_classes_nearest(classes, builders[i], builder), "org.example.Filter$Builder");
    assert_null(ps_classes_nearest(classes, "something", SINK));
    /* a class that cannot be instantiated is not proposed */
    assert_null(ps_classes_nearest(classes, "org.apache.flume.sink.AbstractSnik", SINK));
    assert_null(ps_classes_nearest(classes, "org.apache.flume.sink.AbstractSink", SINK));
    assert_null(ps_classes_nearest(classes, "org.apache.flume.Snik", SINK));
    assert_null(ps_classes_nearest(classes, "org.apache.flume.interceptor.Interceptor", builder));
    assert_null(ps_classes_nearest(classes, "org.example.Filter$Bilder", SINK)); /* of another kind */
    ps_classes_close(classes);
}

/* A jar whose end is missing, or whose bytes were changed, is refused or does not have the class; the reader does not
 * crash. */
static void test_damaged_jars(void **state)
{
    static char bytes[8192];
    ps_test_jar_write(in_folder("own.jar"), own, NULL);
    FILE *file = fopen(in_folder("own.jar"), "rb");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(length > 100 && length < sizeof bytes);
    for (size_t i = 0; i < length; i += 7) {
        for (unsigned cut = 0; cut < 2; cut++) {
            char kept = bytes[i];
            bytes[i] = (char)(kept ^ 0x55);
            file = fopen(in_folder("damaged.jar"), "wb");
            assert_non_null(file);
            assert_int_equal(fwrite(bytes, 1, cut ? i : length, file), cut ? i : length);
            fclose(file);
            bytes[i] = kept;
            const char *item = in_folder("damaged.jar");
            struct ps_classes *classes = ps_classes_open(&(struct ps_texts){1, &item});
            struct ps_class found;
            if (ps_classes_find(classes, "org.example.MySink", &found) && found.damage == NULL)
                assert_string_equal(found.file.name, "org/example/MySink");
            ps_classes_close(classes);
        }
    }
}

/* Folders and jars that cannot be opened now: their classes are not known. */
static void test_without_descriptors(void **state)
{
    struct ps_classes *classes = open_folder();
    int error = 0;
    assert_null(ps_classes_blocked(classes, &error));
    ps_classes_close(classes);
    static const char *const names[] = {"lib/*", "own.jar"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        char path[256], expected[300];
        const char *item = path;
        struct rlimit before;
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        snprintf(expected, sizeof expected, "%.*s: Too many open files", (int)strcspn(path, "*") - (i == 0),
                 path);
        ps_test_no_descriptors(&before);
        classes = ps_classes_open(&(struct ps_texts){1, &item});
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_string_equal(ps_classes_blocked(classes, &error), expected);
        assert_int_equal(error, EMFILE);
        assert_int_equal(ps_classes_unread(classes)->count, 0);
        ps_classes_close(classes);
    }
    const char *folder = in_folder("classes");
    struct ps_class found;
    struct rlimit before;
    classes = ps_classes_open(&(struct ps_texts){1, &folder});
    ps_test_no_descriptors(&before);
    bool there = ps_classes_find(classes, "org.Bad", &found),
         other = ps_classes_find(classes, "org.No", &found);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(there);
    assert_true(other); /* open() says EMFILE before it looks */
    assert_int_equal(found.error, EMFILE);
    ps_classes_close(classes);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_where_a_class_is),
        IN_FOLDER(test_what_a_manifest_names),
        IN_FOLDER(test_what_a_class_is),
        IN_FOLDER(test_damaged_classes),
        IN_FOLDER(test_did_you_mean),
        IN_FOLDER(test_damaged_jars),
        IN_FOLDER(test_jars_of_a_folder_are_in_order),
        IN_FOLDER(test_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
