/* Compares whole outputs of commands with a text that has the commands and all that they must print: standard output, standard
 * error and the exit code. PENSTOCK_REGENERATE=1 writes what they print into the text instead; who does that reads each
 * changed line as a user would. Thread: the test's.
 *
 * A text has lines of these kinds:
 *
 *   # a comment; an empty line
 *   @file NAME            makes a file in the test's folder of the lines below that begin with `<`
 *   < a line of it
 *   @mask REGEX => WORDS  writes WORDS for each match in a printed line, from here on: for what varies. Extended POSIX
 *   $ penstock check -f x a command, with the quotes of a shell: '..', "..", and \ before one sign. `{folder}` is the folder.
 *                         Words `NAME=VALUE` before it set the environment. `<FILE` is its standard input (else there is
 *                         none), `>FILE` its standard output. `tty` before it: its three standard descriptors are a terminal
 *                         of 24 rows and 80 columns, at which `<FILE` is typed. `cat FILE` prints a file
 *   | a line of its standard output
 *   ! a line of its standard error
 *   = 2                   its exit code, or `signal N`
 *
 * In printed lines the path of the folder is `{folder}`; bytes that are no printable ASCII are written as \t, \e (escape),
 * \r or \xHH, unless they are UTF-8; a last line without a newline ends with `\-`.
 *
 * Each command is a call in a process of its own, forked from the test's, with the folder as its working directory. A text must
 * not have a command that starts penstock again (demo, plan with an agent): the program that it would start is the test. It ends
 * at once with code 97. Scripts of tests/e2e run such commands. */
#pragma once

struct ps_test_output_command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit code */
};

/* Reads the text, a path below the source tree, runs its commands and compares. Fails the test with the differences. The
 * test's folder (folder.h) must be there. `commands` ends with a NULL name. */
void ps_test_outputs(const char *text, const struct ps_test_output_command *commands);
