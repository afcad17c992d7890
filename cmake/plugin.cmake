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
