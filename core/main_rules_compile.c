/* `penstock rules compile`: the process in which rule sets are compiled (regex/compiler.h). Started by
 * penstock itself, never by hand; not in any help. */
#include "core/main.h"
#include "regex/compiler.h"

int ps_main_rules_compile(void)
{
    return ps_compile_serve(0, 1);
}
