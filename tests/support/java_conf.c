/* See java_conf.h. */
#include "tests/support/java_conf.h"

#include "stages/table.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void ps_test_java_conf_setup(void **state, const struct ps_test_class *flume, const struct ps_test_class *own)
{
    ps_test_folder_setup(state);
    assert_int_equal(mkdir(ps_test_folder_path("lib"), 0700), 0);
    assert_int_equal(mkdir(ps_test_folder_path("bin"), 0700), 0);
    ps_test_folder_append("bin/java", "", 0);
    assert_int_equal(chmod(ps_test_folder_path("bin/java"), 0700), 0);
    ps_test_jar_write(ps_test_folder_path("lib/flume.jar"), flume, NULL);
    ps_test_jar_write(ps_test_folder_path("own.jar"), own, NULL);
    setenv("FLUME_HOME", ps_test_folder(), 1);
    setenv("FLUME_CLASSPATH", ps_test_folder_path("own.jar"), 1);
    setenv("JAVA_HOME", ps_test_folder(), 1);
}

static const struct ps_stage_ops *const *stages_of_test(void)
{
    static const struct ps_stage_ops *stages[200];
    static struct ps_stage_ops java[8];
    static struct ps_stage_ops inexact;
    static struct ps_deserializer_ops deserializer;
    size_t count = 0, copies = 0;
    for (; ps_stages[count] != NULL; count++) {
        assert_true(count + 1 < PS_COUNT_OF(stages) && copies < PS_COUNT_OF(java));
        stages[count] = ps_stages[count];
        if (strcmp(ps_stages[count]->name, "java") != 0)
            continue;
        java[copies] = *ps_stages[count];
        java[copies].check = NULL;
        stages[count] = &java[copies++];
    }
    /* a deserializer that does not say that it continues exactly: one of a plug-in may not */
    inexact = *ps_stage_find(ps_stages, PS_KIND_DESERIALIZER, "line");
    deserializer = *inexact.deserializer;
    deserializer.continues = false;
    inexact.name = "inexact";
    inexact.aliases = NULL;
    inexact.deserializer = &deserializer;
    stages[count] = &inexact;
    return stages;
}

struct ps_conf *ps_test_java_conf_load(const char *text)
{
    return ps_test_java_conf_load_with(&(struct ps_command){.agent = "a1"}, text);
}

struct ps_conf *ps_test_java_conf_load_with(const struct ps_command *with, const char *text)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_command command = *with;
    struct ps_conf *conf;
    command.arena = arena;
    (void)ps_conf_load_text(&command, stages_of_test(), "a.properties", text, strlen(text), &conf);
    ps_arena_destroy(arena);
    return conf;
}

const char *ps_test_java_conf_said(struct ps_conf *conf, int line)
{
    const struct ps_problem *problem = NULL;
    for (size_t i = 0; i < conf->problems.count && problem == NULL; i++)
        if (conf->problems.items[i].line == line)
            problem = &conf->problems.items[i];
    if (problem == NULL)
        return "";
    char *text = ps_arena_text(conf->arena, ps_problem_text(conf->arena, problem)), *at;
    size_t length = strlen(ps_test_folder());
    while ((at = strstr(text, ps_test_folder())) != NULL) {
        *at = '@';
        memmove(at + 1, at + length, strlen(at + length) + 1);
    }
    return text;
}
