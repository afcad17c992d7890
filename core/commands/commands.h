/* The subcommands. argv[0] is the name of the subcommand. Each returns the exit code. */
#pragma once

int ps_main_agent(int argc, char **argv);
int ps_main_check(int argc, char **argv);
int ps_main_components(int argc, char **argv);
int ps_main_tail(int argc, char **argv);
int ps_main_demo(int argc, char **argv);
int ps_main_mock_broker(int argc, char **argv);
int ps_main_verify(int argc, char **argv);
int ps_main_load(int argc, char **argv);
int ps_main_plan(int argc, char **argv);
int ps_main_rules(int argc, char **argv);
int ps_main_version(int argc, char **argv);
/* `penstock rules compile`, a helper process that the engine starts; takes no arguments. */
int ps_main_rules_compile(void);
