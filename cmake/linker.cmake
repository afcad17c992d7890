# Each build links some five hundred test programs with all of their debug information: GNU ld takes 0.2 s of CPU and more for each, mold and
# gold (which Debian 12 has in binutils) a third of that. The program and what is installed have the linker that releases have; with a
# sanitizer everything has the fast one (docs/decisions/0050-cost-of-tests.md).
include(CheckLinkerFlag)

set(ps_test_linker "") # for target_link_options of test programs
foreach(linker mold gold)
  check_linker_flag(C -fuse-ld=${linker} PS_LINKS_WITH_${linker})
  if(PS_LINKS_WITH_${linker})
    set(ps_test_linker -fuse-ld=${linker})
    break()
  endif()
endforeach()
# Test programs of a release build have no debug information: reading and writing it is most of a link. The builds debug and asan have it.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  list(APPEND ps_test_linker -Wl,--strip-debug)
endif()
if(PS_SANITIZE)
  target_link_options(ps_flags INTERFACE ${ps_test_linker})
endif()
