#include "tests/support/dead_letters.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/folder.h"

static struct ps_dead_letters *letters;

void ps_test_dead_letters_open(struct ps_test_stage *stage)
{
    struct ps_err err = {0};
    letters = ps_dead_letters_create(true);
    stage->port.dead_letter_queue =
        ps_dead_letter_queue_open(letters, ps_test_folder_path("dead"), "a", -1, &err);
    assert_non_null(stage->port.dead_letter_queue);
}

void ps_test_dead_letters_close(struct ps_test_stage *stage)
{
    ps_dead_letter_queue_close(stage->port.dead_letter_queue);
    stage->port.dead_letter_queue = NULL;
    ps_dead_letters_destroy(letters);
}

/* Reads all letters, one a line. */
static const char *read_letters(void)
{
    static char text[8000000];
    size_t length = 0;
    glob_t files;
    text[0] = '\0';
    if (glob(ps_test_folder_path("dead/*.jsonl"), 0, NULL, &files) != 0)
        return text;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *in = fopen(files.gl_pathv[i], "r");
        assert_non_null(in);
        length += fread(text + length, 1, sizeof text - 1 - length, in);
        assert_true(length + 1 < sizeof text);
        text[length] = '\0';
        fclose(in);
    }
    globfree(&files);
    return text;
}

unsigned ps_test_dead_letters_with(const char *text)
{
    unsigned count = 0;
    for (const char *line = read_letters(); *line != '\0'; line = strchr(line, '\n') + 1)
        count += memmem(line, strcspn(line, "\n"), text, strlen(text)) != NULL;
    return count;
}
