#include "tests/support/dead_letters.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/folder.h"

static struct ps_letters *letters;

void ps_test_dead_letters_open(struct ps_test_stage *stage)
{
    struct ps_err err = {0};
    letters = ps_letters_create(true);
    stage->port.letterbox = ps_letterbox_open(letters, ps_test_folder_path("dead"), "a", -1, &err);
    assert_non_null(stage->port.letterbox);
}

void ps_test_dead_letters_close(struct ps_test_stage *stage)
{
    ps_letterbox_close(stage->port.letterbox);
    stage->port.letterbox = NULL;
    ps_letters_destroy(letters);
}

const char *ps_test_dead_letters_bodies(const char *reason)
{
    static char line[200000], bodies[8000000];
    char want[128];
    size_t length = 0;
    glob_t files;
    snprintf(want, sizeof want, "\"reason\":\"%s\"", reason);
    bodies[0] = '\0';
    if (glob(ps_test_folder_path("dead/*.jsonl"), 0, NULL, &files) != 0)
        return bodies;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *in = fopen(files.gl_pathv[i], "r");
        assert_non_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            assert_non_null(strstr(line, want));
            const char *body = strstr(line, "\"body\":\"");
            assert_non_null(body);
            size_t body_length = strcspn(body + 8, "\"");
            assert_true(length + body_length + 2 < sizeof bodies);
            length += (size_t)sprintf(bodies + length, "%.*s\n", (int)body_length, body + 8);
        }
        fclose(in);
    }
    globfree(&files);
    return bodies;
}
