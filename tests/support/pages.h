/* A server of fixed pages for commands that ask a metrics server: a command of a text (outputs.h). Thread: the test's. */
#pragma once

/* `pages PATH=FILE[,FILE].. -- COMMAND..`: calls `run` with COMMAND, in which ADDRESS stands for 127.0.0.1:PORT, while a
 * process answers requests: for PATH, which may have a query, the files in turn, the last one again and again; 404 for other
 * paths. A file whose name begins with three digits is answered with this status. Each request is written to the file `requests`:
 * its path, and its token. Returns the command's exit code. */
int ps_test_pages(int argc, char **argv, int (*run)(int argc, char **argv));
