/* Compares the output of `penstock check` for a file of tests/conf, with the stages of fake_stages.h. One file of a test
 * includes it. */
#pragma once

#include "tests/support/support.h"

#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/file.h"
#include "conf/report.h"
#include "conf/text.h"
#include "tests/conf/fake_stages.h"

#include <stdio.h>

/* Returns the command line of a file, after the subcommand. */
static struct ps_texts arguments(struct ps_arena *arena, const char *name)
{
    struct ps_file file;
    struct ps_err err;
    assert_int_equal(ps_file_read(name, 1 << 20, &file, &err), PS_OK);
    const char *line = ps_arena_format(arena, "-n a1 -f %s", name);
    if (strncmp(file.bytes, "#: ", 3) == 0)
        line = ps_arena_copy(arena, file.bytes + 3, strcspn(file.bytes + 3, "\r\n"));
    ps_file_free(&file);
    return ps_text_split_blanks(arena, line);
}

/* Returns the output of check for a file, without the engine's part. */
static char *outcome(const char *name)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_texts words = arguments(arena, name);
    char **argv = ps_arena_alloc(arena, (words.count + 2) * sizeof *argv);
    argv[0] = ps_arena_text(arena, "check");
    for (size_t i = 0; i < words.count; i++)
        argv[i + 1] = ps_arena_text(arena, words.items[i]);
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    assert_non_null(memory);
    struct ps_command command;
    struct ps_err err = {.length = 0};
    struct ps_conf *conf = NULL;
    if (ps_command_parse(&command, (int)words.count + 1, argv, &err) != PS_OK) {
        fprintf(memory, "command line: %s\n", err.text);
    } else {
        command.dry_run = true;
        enum ps_status status = ps_conf_load(&command, fake_table(), &conf);
        assert_int_equal(status == PS_OK, conf->problems.errors == 0);
        ps_report_problems(memory, conf, false);
        if (status == PS_OK)
            ps_report_agent(memory, conf);
        ps_report_summary(memory, conf, true);
    }
    fclose(memory);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    ps_arena_destroy(arena);
    return text;
}

/* The variables that the files name. */
static void corpus_environment(void)
{
    setenv("PENSTOCK_TEST", "from-environment", 1);
    setenv("STAGE", "PROD", 1);
    unsetenv("PENSTOCK_NOT_SET");
    unsetenv("FLUME_JAVA_OPTS");
}
