/* `penstock rules compile`: the process that compiles rule sets (regex/compile/compiler.h). penstock starts
 * it itself; users do not, and no help text lists it. */
#include "commands/commands.h"
#include "regex/compile/compiler.h"

int ps_main_rules_compile(void)
{
    return ps_compile_serve(0, 1);
}
