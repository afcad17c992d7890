/* Where configurations come from: every form of -f and -u, the facts that are kept of each file, and which change of which file
 * a reload notices. */
#include "conf/load.h"

#include "core/fnv.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_arena *arena;
static struct ps_conf conf;
static struct ps_properties properties;
static struct ps_command command;

static int setup(void **state)
{
    arena = ps_arena_create();
    assert_non_null(arena);
    conf = (struct ps_conf){.arena = arena, .plan_arena = arena};
    conf.problems.arena = arena;
    command = (struct ps_command){.conf_dir = NULL};
    ps_properties_init(&properties, arena);
    return ps_test_folder_setup(state);
}

static int teardown(void **state)
{
    ps_properties_fini(&properties);
    free(conf.problems.items);
    ps_arena_destroy(arena);
    return ps_test_folder_teardown(state);
}

static const char *path_of(const char *name)
{
    return ps_arena_format(arena, "%s/%s", ps_test_folder(), name);
}

static const char *value_of(const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < properties.count; i++) {
        if (strcmp(properties.items[i].key, key) == 0)
            value = properties.items[i].value;
    }
    return value;
}

static void read_all(struct ps_texts *texts, const char *const *items, size_t count)
{
    *texts = (struct ps_texts){count, (const char **)(uintptr_t)items};
    ps_conf_read(&conf, &command, &properties);
    assert_int_equal(conf.origin_count, count);
}

/* Each file is kept with its own facts, in order; a later one wins, and keys of one file alone stay. */
static void test_several_files(void **state)
{
    static const char *const texts[] = {"k=first\na=1\n", "k=second\nbb=22\n", "k=third and longer\nc=3\n"};
    const char *paths[3];
    char name[] = "0.properties";
    for (size_t i = 0; i < 3; i++) {
        name[0] = (char)('0' + i);
        ps_test_folder_append(name, texts[i], strlen(texts[i]));
        paths[i] = path_of(name);
    }
    read_all(&command.files, paths, 3);
    assert_int_equal(conf.problems.count, 0);
    assert_string_equal(value_of("k"), "third and longer");
    assert_string_equal(value_of("a"), "1");
    assert_string_equal(value_of("bb"), "22");
    assert_string_equal(value_of("c"), "3");
    for (size_t i = 0; i < 3; i++) {
        const struct ps_conf_origin *origin = &conf.origins[i];
        struct stat facts;
        assert_int_equal(stat(paths[i], &facts), 0);
        assert_string_equal(origin->uri, paths[i]);
        assert_string_equal(origin->shown, paths[i]);
        assert_string_equal(origin->path, paths[i]);
        assert_int_equal(origin->size_bytes, strlen(texts[i]));
        assert_int_equal(origin->modified_ns, facts.st_mtim.tv_sec * 1000000000 + facts.st_mtim.tv_nsec);
        assert_true(origin->hash == ps_fnv64(PS_FNV64, texts[i], strlen(texts[i])));
    }
}

/* One of three files is not there: an error that names it, and no other. */
static void test_a_missing_one(void **state)
{
    ps_test_folder_append("here", "k=v\n", 4);
    for (size_t missing = 0; missing < 3; missing++) {
        const char *paths[3];
        for (size_t i = 0; i < 3; i++)
            paths[i] = path_of(i == missing ? "missing" : "here");
        conf.origin_count = 0;
        conf.problems.count = 0;
        read_all(&command.files, paths, 3);
        assert_int_equal(conf.problems.count, 1);
        assert_string_equal(ps_problem_text(arena, &conf.problems.items[0]),
                            ps_arena_format(arena, "%s: error: cannot read %s: No such file or directory",
                                            paths[missing], paths[missing]));
        assert_int_equal(conf.origins[missing].modified_ns, -1);
        assert_string_equal(ps_conf_missing(&conf), paths[missing]);
        assert_string_equal(value_of("k"), "v");
    }
}

static void test_uris(void **state)
{
    const char *folder = ps_test_folder();
    ps_test_folder_append("a", "k=v\n", 4);
    command.conf_dir = folder;
    const char *path = path_of("a");
    const char *uris[] = {path,
                          ps_arena_format(arena, "file:%s", path),
                          ps_arena_format(arena, "FILE:%s", path),
                          ps_arena_format(arena, "file://%s", path),
                          ps_arena_format(arena, "file://localhost%s", path),
                          "classpath:a",
                          "classpath:/a",
                          "Classpath:///a"};
    read_all(&command.uris, uris, PS_COUNT_OF(uris));
    assert_int_equal(conf.problems.count, 0);
    for (size_t i = 0; i < PS_COUNT_OF(uris); i++) {
        assert_string_equal(conf.origins[i].path, path);
        assert_string_equal(conf.origins[i].uri, uris[i]);
        assert_string_equal(conf.origins[i].shown, uris[i]);
        assert_int_equal(conf.origins[i].size_bytes, 4);
    }
    assert_null(ps_conf_missing(&conf));
}

/* If there is a -u, a -f is not read, and a warning says so; without -c, classpath means the directory of the start. */
static void test_uri_beside_file(void **state)
{
    static const char *const uris[] = {"classpath:no/such/file"}, *const files[] = {"/no/other"};
    command.files = (struct ps_texts){1, (const char **)(uintptr_t)files};
    read_all(&command.uris, uris, 1);
    assert_string_equal(conf.origins[0].path, "./no/such/file");
    assert_int_equal(conf.problems.count, 2);
    assert_string_equal(ps_problem_text(arena, &conf.problems.items[0]),
                        "warning: -f: is ignored, because -u is also given; Flume ignores it too; use -u for "
                        "all of them");
    assert_string_equal(ps_problem_text(arena, &conf.problems.items[1]),
                        "classpath:no/such/file: error: cannot read ./no/such/file: No such file or "
                        "directory; classpath: names a file of the directory that -c gives");
}

static void set_time(const char *path, int64_t ns)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A change of the first, the second or the third file is noticed: its length, or its time, a nanosecond later or earlier. One
 * that is gone does not count as changed, but is named. */
static void test_changes(void **state)
{
    const int64_t time_ns = INT64_C(1700000000123456789);
    const char *paths[3] = {path_of("a"), path_of("b"), path_of("c")};
    struct ps_err err = {.length = 0};
    for (size_t i = 0; i < 3; i++) {
        ps_test_folder_append((const char[]){(char)('a' + i), '\0'}, "k=v\n", 4);
        set_time(paths[i], time_ns);
    }
    read_all(&command.files, paths, 3);
    assert_false(ps_conf_changed(&conf, &command, &err));
    assert_null(ps_conf_missing(&conf));
    for (size_t i = 0; i < 3; i++) {
        for (int step = -1; step <= 1; step += 2) {
            set_time(paths[i], time_ns + step);
            assert_true(ps_conf_changed(&conf, &command, &err));
            set_time(paths[i], time_ns);
            assert_false(ps_conf_changed(&conf, &command, &err));
        }
        for (off_t size = 3; size <= 5; size++) {
            assert_int_equal(truncate(paths[i], size), 0);
            set_time(paths[i], time_ns);
            assert_int_equal(ps_conf_changed(&conf, &command, &err), size != 4);
        }
        assert_int_equal(truncate(paths[i], 4), 0);
        set_time(paths[i], time_ns);
        assert_int_equal(rename(paths[i], path_of("away")), 0);
        assert_false(ps_conf_changed(&conf, &command, &err));
        assert_string_equal(ps_conf_missing(&conf), paths[i]);
        assert_int_equal(rename(path_of("away"), paths[i]), 0);
        assert_null(ps_conf_missing(&conf));
    }
    assert_int_equal(err.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_several_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uris, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uri_beside_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
