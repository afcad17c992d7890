# libpenstock-client, shared and static: commands/client and what it uses of the program's parts, taken from their archive. Only the names
# of commands/client/client.h can be seen from outside.
set(PS_CLIENT_LIBRARY OFF)
if(PS_SANITIZE OR PS_COVERAGE OR NOT main_sources)
  return() # their tests link with the parts
endif()
set(PS_CLIENT_LIBRARY ON)
set(PS_CLIENT_ABI 1)           # changes when something in client.h is changed or taken away
set(PS_CLIENT_ABI_VERSION 1.0) # and this one when something is added
set(client_map ${CMAKE_SOURCE_DIR}/cmake/client.map)

add_library(penstock_client SHARED $<TARGET_OBJECTS:ps_client>)
set_target_properties(penstock_client PROPERTIES OUTPUT_NAME penstock-client SOVERSION ${PS_CLIENT_ABI} VERSION ${PS_CLIENT_ABI_VERSION}
  LINK_DEPENDS ${client_map})
# Never unloaded: a thread that asks a name server may outlive the last client.
target_link_options(penstock_client PRIVATE -Wl,--version-script=${client_map} -Wl,--as-needed -Wl,--exclude-libs,ALL -Wl,-z,nodelete)
target_link_libraries(penstock_client PRIVATE ps_engine)

# One object file, whose other names are local.
set(client_static ${CMAKE_BINARY_DIR}/libpenstock-client.a)
add_custom_command(OUTPUT ${client_static}
  COMMAND ${CMAKE_LINKER} -r -o penstock-client.o $<TARGET_OBJECTS:ps_client> $<TARGET_FILE:ps_engine>
  COMMAND ${CMAKE_OBJCOPY} --strip-debug --wildcard --keep-global-symbol=penstock_client_* penstock-client.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${client_static}
  COMMAND ${CMAKE_AR} rcs ${client_static} penstock-client.o
  DEPENDS ps_client ps_engine $<TARGET_OBJECTS:ps_client> COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(penstock_client_static ALL DEPENDS ${client_static})
add_dependencies(penstock penstock_client penstock_client_static) # what is installed with it
