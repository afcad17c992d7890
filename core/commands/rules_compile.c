/* `penstock rules compile`: the process in which rule sets are compiled (regex/compile/compiler.h). Started by
 * penstock itself, never by hand; not in any help. */
#include "core/commands/commands.h"
#include "regex/compile/compiler.h"

int ps_main_rules_compile(void)
{
    return ps_compile_serve(0, 1);
}
