# What a plug-in in C sees: the headers that are installed, and the functions that programs which load plug-ins export. Nothing else is a part
# of the contract (docs/CONTRACT.md). tests/e2e/plugin_test.sh compares both lists with what core/plugin/plugin.h includes and declares.
file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/plugin_symbols.txt plugin_symbols)
file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/plugin_headers.txt plugin_headers)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/plugin_symbols.txt
  ${CMAKE_SOURCE_DIR}/cmake/plugin_headers.txt)
list(JOIN plugin_symbols ";\n" plugin_symbol_lines)
set(plugin_list ${CMAKE_BINARY_DIR}/generated/plugin.list)
file(CONFIGURE OUTPUT ${plugin_list} CONTENT "{\n${plugin_symbol_lines};\n};\n")

# -u: a function that the program itself does not call is taken from the archive, too.
function(ps_exports_contract target)
  list(TRANSFORM plugin_symbols PREPEND -Wl,-u, OUTPUT_VARIABLE wanted)
  target_link_options(${target} PRIVATE -Wl,--dynamic-list=${plugin_list} ${wanted})
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${plugin_list})
endfunction()

# The examples as texts in C, for `penstock plugin new`.
function(ps_plugin_templates out) # KIND NAME...
  set(rows "")
  while(ARGN)
    list(POP_FRONT ARGN kind name)
    ps_read_text(text ${CMAKE_SOURCE_DIR}/conf/examples/plugins/${name}.c)
    ps_c_text(text "${text}")
    string(APPEND rows "    {\"${kind}\", \"${name}\",\n     ${text}},\n")
  endwhile()
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
    "#include \"commands/plugin/templates.h\"\n\nconst struct ps_plugin_template ps_plugin_templates[] = {\n@rows@    {0},\n};\n")
endfunction()
set(plugin_templates ${CMAKE_BINARY_DIR}/generated/plugin_templates.c)
ps_plugin_templates(${plugin_templates} interceptor add_checksum source pipe_lines sink unix_datagram serializer csv_text
  selector hash_header deserializer joined_lines channel bounded_queue)

# The lists of jars as texts in C, for `penstock plugin fetch`.
function(ps_fetch_lists out)
  set(rows "")
  file(GLOB lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/commands/plugin/fetch/lists/*.jars)
  foreach(list ${lists})
    string(REGEX REPLACE "^.*/|[.]jars$" "" name ${list})
    ps_read_text(text ${list})
    ps_c_text(text "${text}")
    string(APPEND rows "    {\"${name}\",\n     ${text}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
    "#include \"commands/plugin/fetch/lists.h\"\n\nconst struct ps_fetch_text ps_fetch_texts[] = {\n@rows@    {0},\n};\n")
endfunction()
set(fetch_lists ${CMAKE_BINARY_DIR}/generated/fetch_lists.c)
ps_fetch_lists(${fetch_lists})

# penstock-plugin-test: the conformance suites of tests/stages for the stages of plug-ins, without cmocka (`penstock plugin test`). A program of its
# own, because it counts allocations, and the agent must not.
add_executable(penstock-plugin-test ${CMAKE_SOURCE_DIR}/tests/plugin/program.c ${CMAKE_SOURCE_DIR}/tests/plugin/group.c
  ${CMAKE_SOURCE_DIR}/tests/plugin/functions.c)
foreach(kind channel channel_durable channel_again deserializer interceptor selector serializer sink source)
  target_sources(penstock-plugin-test PRIVATE ${CMAKE_SOURCE_DIR}/tests/plugin/suites/${kind}.c)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/plugin/suites/${kind}.c PROPERTIES
    COMPILE_DEFINITIONS ps_stages=ps_plugin_test_no_stages)
endforeach()
foreach(part stage stage_source support conformance folder)
  target_sources(penstock-plugin-test PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/${part}.c)
endforeach()
target_include_directories(penstock-plugin-test BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/tests/plugin/suites)
target_compile_definitions(penstock-plugin-test PRIVATE PS_TEST_PLUGIN)
target_compile_options(penstock-plugin-test PRIVATE -Wno-unused-parameter -Wno-missing-prototypes -Wno-unused-function)
set_target_properties(penstock-plugin-test PROPERTIES LINKER_LANGUAGE C)
target_link_libraries(penstock-plugin-test PRIVATE ps_engine)
ps_exports_contract(penstock-plugin-test)
