# What is installed, in two layouts from one list:
#
#   tree     one prefix like a Flume (default /opt/penstock), also as a tarball: bin/ conf/ docs/ share/ lib/systemd/system/
#   system   the places of a distribution, for .deb and .rpm (cmake/packages.cmake): /usr /etc
#
# Documents, examples and the README keep their places to each other in both, so that the links in them hold.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /opt/penstock CACHE PATH "Where to install" FORCE)
endif()
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # the program is enough: no tests are built to install
set(made ${CMAKE_BINARY_DIR}/generated)
set(system_pages usr/share/doc/penstock) # README, docs, examples

# ps_install([TREE folder] [SYSTEM folder] [PART component] WHAT arguments of install()... [MATCH patterns of install(DIRECTORY)...])
# PART: the component of the tree's files; `client` can be installed alone (cmake --install BUILD --component client).
function(ps_install)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TREE;SYSTEM;PART" "WHAT;MATCH")
  if(NOT DEFINED arg_PART)
    set(arg_PART tree)
  endif()
  if(DEFINED arg_TREE)
    install(${arg_WHAT} DESTINATION ${arg_TREE} COMPONENT ${arg_PART} ${arg_MATCH})
  endif()
  if(DEFINED arg_SYSTEM)
    install(${arg_WHAT} DESTINATION ${arg_SYSTEM} COMPONENT system EXCLUDE_FROM_ALL ${arg_MATCH})
  endif()
endfunction()

function(ps_install_pages folder) # WHAT...: at the same place below both roots of documents
  if(folder STREQUAL ".")
    ps_install(TREE . SYSTEM ${system_pages} ${ARGN})
  else()
    ps_install(TREE ${folder} SYSTEM ${system_pages}/${folder} ${ARGN})
  endif()
endfunction()

# The service, once with a user that systemd makes up, once with the user of the package.
function(ps_unit folder program user)
  configure_file(cmake/packaging/systemd/penstock.service ${made}/${folder}/penstock.service @ONLY)
endfunction()
ps_unit(tree ${CMAKE_INSTALL_PREFIX}/bin/penstock "DynamicUser=yes")
ps_unit(system /usr/bin/penstock "User=penstock\nGroup=penstock")
ps_install(TREE lib/systemd/system WHAT FILES ${made}/tree/penstock.service)
ps_install(SYSTEM usr/lib/systemd/system WHAT FILES ${made}/system/penstock.service)

# flume-ng is not in /usr/bin: packages of Flume itself have it there.
ps_install(TREE bin SYSTEM usr/bin WHAT TARGETS penstock RUNTIME)
ps_install(TREE bin SYSTEM usr/lib/penstock/bin WHAT PROGRAMS cmake/packaging/bin/flume-ng)

ps_install_pages(. WHAT FILES README.md CONTRIBUTING.md LICENSE)
ps_install(SYSTEM ${system_pages} WHAT FILES LICENSE RENAME copyright) # where Debian looks for it
ps_install_pages(docs WHAT DIRECTORY docs/ MATCH PATTERN man EXCLUDE PATTERN generate EXCLUDE)
ps_install_pages(conf/examples WHAT DIRECTORY conf/examples/)
ps_install_pages(conf/systemd WHAT FILES cmake/packaging/systemd/low-ports.conf)
ps_install_pages(perf WHAT FILES perf/README.md perf/budgets.md perf/baseline.jsonl perf/rules_curve.svg)

# The page of all components comes from the program: there is no second list of keys. So do the completion scripts.
set(from_program "execute_process(COMMAND \"$<TARGET_FILE:penstock>\" components --man
  OUTPUT_VARIABLE components COMMAND_ERROR_IS_FATAL ANY)
file(WRITE \"${made}/penstock-components.7\"
  \".TH PENSTOCK-COMPONENTS 7 2026-11-20 \\\"penstock ${PS_VERSION}\\\"\n\"
  \".SH NAME\npenstock-components \\\\- every source, channel, sink and their keys\n.SH COMPONENTS\n\" \"\${components}\")
execute_process(COMMAND \"${CMAKE_SOURCE_DIR}/cmake/packaging/command_pages\" \"$<TARGET_FILE:penstock>\"
  \"${CMAKE_SOURCE_DIR}/docs/man\" \"${made}/man\" COMMAND_ERROR_IS_FATAL ANY)
foreach(shell bash zsh fish)
  execute_process(COMMAND \"$<TARGET_FILE:penstock>\" completion \${shell}
    OUTPUT_FILE \"${made}/penstock.\${shell}\" COMMAND_ERROR_IS_FATAL ANY)
endforeach()")
install(CODE "${from_program}" COMPONENT tree)
install(CODE "${from_program}" COMPONENT system EXCLUDE_FROM_ALL)
ps_install(TREE share/man/man1 SYSTEM usr/share/man/man1 WHAT DIRECTORY docs/man/ MATCH FILES_MATCHING PATTERN "*.1")
ps_install(TREE share/man/man1 SYSTEM usr/share/man/man1 WHAT DIRECTORY ${made}/man/ MATCH FILES_MATCHING PATTERN "*.1")
ps_install(TREE share/man/man7 SYSTEM usr/share/man/man7 WHAT FILES ${made}/penstock-components.7)
ps_install(TREE share/bash-completion/completions SYSTEM usr/share/bash-completion/completions
  WHAT FILES ${made}/penstock.bash RENAME penstock)
ps_install(TREE share/zsh/site-functions SYSTEM usr/share/zsh/vendor-completions WHAT FILES ${made}/penstock.zsh RENAME _penstock)
ps_install(TREE share/fish/vendor_completions.d SYSTEM usr/share/fish/vendor_completions.d WHAT FILES ${made}/penstock.fish)

# libpenstock-client: where the linker, pkg-config and man look. The tree's .pc file finds its prefix by its own place.
if(PS_CLIENT_LIBRARY)
  set(system_libraries usr/lib)
  if(CMAKE_LIBRARY_ARCHITECTURE) # Debian
    set(system_libraries usr/lib/${CMAKE_LIBRARY_ARCHITECTURE})
  endif()
  function(ps_pkg_config folder prefix libdir)
    configure_file(cmake/penstock-client.pc.in ${made}/${folder}/penstock-client.pc @ONLY)
  endfunction()
  ps_pkg_config(tree "\${pcfiledir}/../.." "\${prefix}/lib")
  ps_pkg_config(system /usr /${system_libraries})
  ps_install(PART client TREE lib SYSTEM ${system_libraries} WHAT TARGETS penstock_client LIBRARY)
  ps_install(PART client TREE lib SYSTEM ${system_libraries} WHAT FILES ${client_static})
  ps_install(PART client TREE include/penstock SYSTEM usr/include/penstock WHAT FILES commands/client/client.h)
  ps_install(PART client TREE lib/pkgconfig WHAT FILES ${made}/tree/penstock-client.pc)
  ps_install(SYSTEM ${system_libraries}/pkgconfig WHAT FILES ${made}/system/penstock-client.pc)
  ps_install(PART client TREE share/man/man3 SYSTEM usr/share/man/man3 WHAT FILES docs/man/penstock-client.3)
endif()

# For plug-ins in C: the headers that a stage may see (cmake/plugin_headers.txt), a pkg-config file, a CMake package. None of it depends on the
# machine's architecture.
function(ps_plugin_files folder prefix plugins)
  configure_file(cmake/penstock.pc.in ${made}/${folder}/penstock.pc @ONLY)
  set(plugins_folder ${plugins})
  configure_file(cmake/penstockConfig.cmake.in ${made}/${folder}/penstockConfig.cmake @ONLY)
endfunction()
ps_plugin_files(tree "\${pcfiledir}/../.." plugins.d)
ps_plugin_files(system /usr lib/penstock/plugins.d)
include(CMakePackageConfigHelpers)
string(REGEX MATCH "^[0-9]+[.][0-9]+[.][0-9]+" plain_version ${PS_VERSION})
if(NOT plain_version)
  set(plain_version 0.0.0)
endif()
write_basic_package_version_file(${made}/penstockConfigVersion.cmake VERSION ${plain_version} COMPATIBILITY AnyNewerVersion ARCH_INDEPENDENT)
file(CONFIGURE OUTPUT ${made}/plugin/plugin.h CONTENT "/* A plug-in in C includes this file alone (docs/PLUGINS.md). */\n#pragma once\n\n#include \"core/plugin/plugin.h\"\n")
foreach(header IN LISTS plugin_headers)
  get_filename_component(folder ${header} DIRECTORY)
  ps_install(PART plugin TREE include/penstock/${folder} SYSTEM usr/include/penstock/${folder} WHAT FILES ${header})
endforeach()
ps_install(PART plugin TREE include/penstock SYSTEM usr/include/penstock WHAT FILES ${made}/plugin/plugin.h)
ps_install(PART plugin TREE lib/penstock SYSTEM usr/lib/penstock WHAT TARGETS penstock-plugin-test RUNTIME)
ps_install(PART plugin TREE lib/pkgconfig WHAT FILES ${made}/tree/penstock.pc)
ps_install(SYSTEM usr/share/pkgconfig WHAT FILES ${made}/system/penstock.pc)
ps_install(PART plugin TREE lib/cmake/penstock WHAT FILES ${made}/tree/penstockConfig.cmake ${made}/penstockConfigVersion.cmake)
ps_install(SYSTEM usr/lib/cmake/penstock WHAT FILES ${made}/system/penstockConfig.cmake ${made}/penstockConfigVersion.cmake)

# The process for Java classes. In a distribution it is a package of its own (component `java`), which depends on a JRE.
if(PS_JAVA_JAR)
  ps_install(TREE lib/penstock WHAT FILES ${PS_JAVA_JAR})
  install(FILES ${PS_JAVA_JAR} DESTINATION usr/lib/penstock COMPONENT java EXCLUDE_FROM_ALL)
  install(FILES LICENSE DESTINATION usr/share/doc/penstock-java COMPONENT java RENAME copyright EXCLUDE_FROM_ALL)
endif()

# A package has a configuration that starts, a user, and variables of the service.
ps_install(SYSTEM etc/penstock WHAT FILES cmake/packaging/package/agent.properties)
ps_install(SYSTEM etc/default WHAT FILES cmake/packaging/package/default RENAME penstock)
ps_install(SYSTEM usr/lib/sysusers.d WHAT FILES cmake/packaging/package/sysusers.conf RENAME penstock.conf)

# The tree removes itself: share/penstock/uninstall knows its files by the list that is written last.
ps_install(TREE share/penstock WHAT PROGRAMS cmake/packaging/package/uninstall)
install(CODE "set(files \"\${CMAKE_INSTALL_MANIFEST_FILES}\")
list(TRANSFORM files REPLACE \"^\${CMAKE_INSTALL_PREFIX}/(\\\\./)?\" \"\")
list(JOIN files \"\n\" files)
file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/penstock/files\" \"\${files}\nshare/penstock/files\n\")" COMPONENT tree)
add_custom_target(uninstall COMMAND ${CMAKE_INSTALL_PREFIX}/share/penstock/uninstall
  COMMENT "Removing ${CMAKE_INSTALL_PREFIX}" VERBATIM)

include(cmake/packages.cmake)
