# Flags against exploits, for optimized builds without a sanitizer: _FORTIFY_SOURCE needs the optimizer, and sanitizers
# bring checks of their own. tests/unit/hardening_test.sh looks for their traces in the program.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

option(PS_HARDEN "Full RELRO, stack protector, _FORTIFY_SOURCE, control-flow protection" ON)
check_pie_supported(LANGUAGES C CXX) # CMAKE_POSITION_INDEPENDENT_CODE links programs with -pie from here on

set(PS_HARDENED OFF)
if(PS_HARDEN AND NOT PS_SANITIZE AND NOT PS_COVERAGE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(PS_HARDENED ON)
endif()

function(ps_harden_compile flag)
  string(MAKE_C_IDENTIFIER "PS_HAS${flag}" variable)
  check_c_compiler_flag(-Werror\ ${flag} ${variable})
  if(${variable})
    target_compile_options(ps_flags INTERFACE ${flag})
  endif()
endfunction()

function(ps_harden_link flag)
  string(MAKE_C_IDENTIFIER "PS_LINKS${flag}" variable)
  check_linker_flag(C ${flag} ${variable})
  if(${variable})
    target_link_options(ps_flags INTERFACE ${flag})
  endif()
endfunction()

# Level 3 also checks sizes that are known at run time only (gcc 12, clang 9, glibc 2.34).
function(ps_harden_fortify)
  set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_c_source_compiles("#include <features.h>
#if __USE_FORTIFY_LEVEL < 3
#error level 2
#endif
int main(void) { return 0; }" PS_HAS_FORTIFY_3)
  target_compile_options(ps_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$<IF:$<BOOL:${PS_HAS_FORTIFY_3}>,3,2>)
endfunction()

if(PS_HARDENED)
  ps_harden_fortify()
  ps_harden_compile(-fstack-protector-strong)
  ps_harden_compile(-fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
    ps_harden_compile(-fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    ps_harden_compile(-mbranch-protection=standard)
  endif()
  foreach(flag relro now noexecstack)
    ps_harden_link(-Wl,-z,${flag})
  endforeach()
endif()
