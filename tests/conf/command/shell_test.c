/* Assignments of shell scripts, with the values that a shell would assign; a line that is not understood is named. */
#include "tests/support/support.h"

#include "conf/command/shell.h"

#include <stdlib.h>
#include <string.h>

static struct ps_arena *arena;

static int setup(void **state)
{
    arena = ps_arena_create();
    setenv("GIVEN", "from outside", 1);
    setenv("HOME", "/home", 1);
    unsetenv("NONE");
    return 0;
}

static int teardown(void **state)
{
    ps_arena_destroy(arena);
    return 0;
}

/* Reads the text in memory of exactly its length, so that a sanitizer sees a read past it. */
static struct ps_shell read_text(const char *text)
{
    struct ps_shell shell;
    char *exact = malloc(strlen(text) + 1);
    assert_non_null(exact);
    memcpy(exact, text, strlen(text));
    ps_shell_read(&shell, arena, exact, strlen(text));
    free(exact);
    return shell;
}

static void test_values(void **state)
{
    static const char *const rows[][2] = {
        {"A=x", "x"},
        {"A=", ""},
        {"A='a b'\"c d\"e\\ f", "a bc de f"},
        {"A=\"-Xms1g $GIVEN\"", "-Xms1g from outside"},
        {"A=${GIVEN}/x", "from outside/x"},
        {"A='$GIVEN'", "$GIVEN"},
        {"A=\"\\$GIVEN \\\\ \\x\"", "$GIVEN \\ \\x"},
        {"A=$NONE.", "."},
        {"A=${NONE:-/opt/flume}", "/opt/flume"},
        {"A=${NONE-${GIVEN:-no}}", "from outside"},
        {"A=${GIVEN:-no}", "from outside"},
        {"A=${NONE:+:$NONE}x", "x"},
        {"A=${GIVEN:+:$GIVEN}", ":from outside"},
        {"A=\"${NONE:-a b}\"", "a b"},
        {"export A=x B=y", "x"},
        {"B=y\nA=\"$B:$B\"", "y:y"},
        {"A=x\nA=\"$A -Dy\"", "x -Dy"},
        {"A=x; A+=y", "xy"},
        {"# A=no\nA=x # comment\n", "x"},
        {"A=x\\\n y", NULL}, /* for the command y */
        {"A=\"x\\\ny\"", "xy"},
        {"A=x#y", "x#y"},
        {"A=~/lib", "/home/lib"},
        {"A=x\r\n", "x"},
        {"A='two\nlines'", "two\nlines"},
        {"declare -x A=x", "x"},
        {"A=x command", NULL},
        {"A=x\nunset A", ""},
        {"f() {\nA=no\n}\n", NULL},
        {"(A=no)", NULL},
        {"cat <<END >file\nA=no\nEND\nA=x", "x"},
        {"echo A=no", NULL},
        {"[ -f x ] || A=no", NULL},
        {"if true; then A=no; fi", NULL},
        {"case x in x) A=no;; esac\nA=x", "x"},
        {"{ A=x; }", "x"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_shell shell = read_text(rows[i][0]);
        const struct ps_shell_variable *variable = ps_shell_find(&shell, "A");
        if ((variable == NULL) != (rows[i][1] == NULL) ||
            (variable != NULL && strcmp(variable->value, rows[i][1]) != 0))
            fail_msg("%s gives %s", rows[i][0], variable != NULL ? variable->value : "nothing");
    }
}

static void test_gaps(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *what, *name;
    } rows[] = {
        {"A=1\n\nif [ -z \"$B\" ]; then\n  export B=$(x)\nelse\n  C=1\nfi\nA=2\n", 3, "if", "B"},
        {"A=`hostname`\n", 1, "value", "A"},
        {"A=$(cat \"x)\")\nB=1", 1, "value", "A"},
        {"A=${B%%/*}", 1, "value", "A"},
        {"\n. /etc/default/flume", 2, ".", NULL},
        {"[ -f x ] && source x", 1, "source", NULL},
        {"for x in a b; do A=$x; done", 1, "for", "A"},
        {"[ -d x ] && A=x", 1, "condition", "A"},
        {"if a; then if b; then A=1; fi; fi; B=1", 1, "if", "A"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_shell shell = read_text(rows[i].text);
        if (shell.gap_count != 1)
            fail_msg("%s has %zu gaps", rows[i].text, shell.gap_count);
        assert_int_equal(shell.gaps[0].line, rows[i].line);
        assert_string_equal(shell.gaps[0].what, rows[i].what);
        assert_int_equal(shell.gaps[0].names.count > 0, rows[i].name != NULL);
        if (rows[i].name != NULL)
            assert_string_equal(shell.gaps[0].names.items[0], rows[i].name);
    }
    struct ps_shell shell = read_text(rows[0].text);
    assert_string_equal(ps_shell_find(&shell, "A")->value, "2");
    assert_int_equal(ps_shell_find(&shell, "A")->line, 8);
    assert_false(ps_shell_find(&shell, "A")->exported);
    assert_null(ps_shell_find(&shell, "B"));
}

/* Values that double at each line, and nesting without an end. */
/* A compound command is skipped to its own end, with those in it, and a word of an argument ends nothing. */
static void test_ends_of_compound_commands(void **state)
{
    static const struct {
        const char *text, *what, *names; /* the names of the variables, with blanks */
    } rows[] = {
        {"for x in a; do echo fi done esac; A=1; done; B=1", "for", "A"},
        {"for x in a\ndo\n  A=1\ndone\nB=1", "for", "A"},
        {"while x; do case $y in c) A=1;; *) C=2;; esac; A=3; done; B=1", "while", "A C"},
        {"until x; do if y; then A=1; fi; done; B=1", "until", "A"},
        {"if x; then y; elif z; then A=1; else if u; then C=1; fi; fi; B=1", "if", "A C"},
        {"if ! x; then A=1; fi; B=1", "if", "A"},
        {"if x; then { A=1; }; fi; B=1", "if", "A"},
        {"if if x; then y; fi; then A=1; fi; B=1", "if", "A"},
        {"while while x; do y; done; do A=1; done; B=1", "while", "A"},
        {"until case $x in y) true;; esac; do A=1; done; B=1", "until", "A"},
        {"if x; then if if y; then z; fi; then u; fi; A=1; fi; B=1", "if", "A"},
        {"if x; then while while y; do z; done; do u; done; A=1; fi; B=1", "if", "A"},
        {"if echo 'fi'; then A=1; fi; B=1", "if", "A"},
        {"if x; then A=1; A=2; C=$A; fi; B=1", "if", "A C"},
        {"if x; then export A=1 C=2; fi; B=1", "if", "A C"},
        {"case x in if) A=1;; esac; B=1", "case", "A"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_shell shell = read_text(rows[i].text);
        const struct ps_shell_variable *behind = ps_shell_find(&shell, "B");
        char names[64] = "";
        if (shell.gap_count != 1 || strcmp(shell.gaps[0].what, rows[i].what) != 0)
            fail_msg("%s has %zu gaps", rows[i].text, shell.gap_count);
        for (size_t k = 0; k < shell.gaps[0].names.count; k++) {
            strcat(names, k > 0 ? " " : "");
            strcat(names, shell.gaps[0].names.items[k]);
        }
        if (behind == NULL || strcmp(behind->value, "1") != 0 || strcmp(names, rows[i].names) != 0 ||
            ps_shell_find(&shell, "A") != NULL)
            fail_msg("%s: it sets %s, and B is %s", rows[i].text, names,
                     behind != NULL ? "there" : "not there");
    }
}

static void test_large_values_have_limits(void **state)
{
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    strcpy(text, "A=0123456789\n");
    for (unsigned i = 0; i < 100; i++)
        strcat(text, "A=$A$A\n");
    struct ps_shell shell = read_text(text);
    assert_true(strlen(ps_shell_find(&shell, "A")->value) <= 128 << 10);
    memset(text, 0, 1 << 16);
    for (unsigned i = 0; i < 1500; i++)
        strcat(text, "${A:-");
    shell = read_text(text);
    assert_int_equal(shell.count, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_ends_of_compound_commands),
        cmocka_unit_test(test_large_values_have_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
