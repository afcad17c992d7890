# What is installed, under one prefix like a Flume (default /opt/penstock), and the same as a tarball (cpack):
# bin/ conf/ docs/ share/man/ lib/systemd/system/.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /opt/penstock CACHE PATH "Where to install" FORCE)
  set(CMAKE_INSTALL_FULL_BINDIR ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR})
endif()
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # the program is enough: no tests are built to install

configure_file(conf/systemd/penstock.service ${CMAKE_BINARY_DIR}/generated/penstock.service @ONLY)

install(TARGETS penstock RUNTIME DESTINATION bin)
install(PROGRAMS conf/bin/flume-ng DESTINATION bin)
install(DIRECTORY conf/examples/ DESTINATION conf/examples FILES_MATCHING PATTERN "*.properties")
install(DIRECTORY docs/ DESTINATION docs PATTERN "man" EXCLUDE PATTERN "decisions" EXCLUDE)
install(FILES README.md LICENSE DESTINATION docs OPTIONAL)
install(DIRECTORY docs/man/ DESTINATION share/man/man1 FILES_MATCHING PATTERN "*.1")
# The page of all components comes from the program: there is no second list of keys.
install(CODE "execute_process(COMMAND \"$<TARGET_FILE:penstock>\" components --man
  OUTPUT_VARIABLE components COMMAND_ERROR_IS_FATAL ANY)
file(WRITE \"${CMAKE_BINARY_DIR}/generated/penstock-components.7\"
  \".TH PENSTOCK-COMPONENTS 7 2026-11-20 \\\"penstock ${PS_VERSION}\\\"\n\"
  \".SH NAME\npenstock-components \\\\- every source, channel, sink and their keys\n.SH COMPONENTS\n\" \"\${components}\")")
install(FILES ${CMAKE_BINARY_DIR}/generated/penstock-components.7 DESTINATION share/man/man7)
install(FILES ${CMAKE_BINARY_DIR}/generated/penstock.service DESTINATION lib/systemd/system)

string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" system)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME penstock)
set(CPACK_PACKAGE_VERSION ${PS_VERSION})
set(CPACK_PACKAGE_FILE_NAME penstock-${PS_VERSION}-${system})
set(CPACK_INCLUDE_TOPLEVEL_DIRECTORY ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
