/* The program's subcommands: main(argc, argv) of each, argv[0] being the subcommand's name. They return the
 * exit code. Thread: the one main runs on. */
#pragma once

/* penstock tail: a sample of live events of a running agent. */
int ps_main_tail(int argc, char **argv);

/* penstock demo: generator, agent, broker and verifier on this machine, with a summary. */
int ps_main_demo(int argc, char **argv);
