# Builds with a sanitizer link some five hundred programs with all of their debug information: GNU ld takes 0.15 s of CPU for each, mold and
# gold (which Debian 12 has in binutils) 0.02 s. Other builds have the linker that releases have (docs/decisions/0048).
include(CheckLinkerFlag)

if(PS_SANITIZE)
  foreach(linker mold gold)
    check_linker_flag(C -fuse-ld=${linker} PS_LINKS_WITH_${linker})
    if(PS_LINKS_WITH_${linker})
      target_link_options(ps_flags INTERFACE -fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()
