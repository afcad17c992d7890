# Makes C of the messages in stages/lib/*/proto/*.proto: "generated/stages/lib/hadoop/proto/rpc.pb-c.h" is included as
# "stages/lib/hadoop/proto/rpc.pb-c.h".
file(GLOB proto_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} stages/lib/*/proto/*.proto)
set(proto_sources)
foreach(proto IN LISTS proto_files)
  string(REGEX REPLACE "\\.proto$" ".pb-c" made "${CMAKE_BINARY_DIR}/generated/${proto}")
  add_custom_command(OUTPUT ${made}.c ${made}.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
    COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR} --c_out=${CMAKE_BINARY_DIR}/generated ${proto}
    DEPENDS ${CMAKE_SOURCE_DIR}/${proto} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} COMMENT "protoc-c ${proto}" VERBATIM)
  list(APPEND proto_sources ${made}.c ${made}.h)
endforeach()
add_library(ps_protobuf OBJECT ${proto_sources})
target_link_libraries(ps_protobuf PUBLIC ps_flags PkgConfig::PROTOBUF_C)
# The generator's code has conversions of its own.
target_compile_options(ps_protobuf PRIVATE -Wno-conversion -Wno-sign-conversion -Wno-shadow -Wno-strict-prototypes)
