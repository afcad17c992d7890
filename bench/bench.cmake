# Programs that make numbers. bench/micro_*.c are one Google Benchmark program (bench_micro); every other bench/*.c is a program of its own,
# bench_<name>, which measures two things in turn and prints one JSON object a line (perf/README.md says how to read them).
file(GLOB micro_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/micro_*.c)
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.c)
list(REMOVE_ITEM bench_sources ${micro_sources})

add_executable(bench_micro ${micro_sources} ${CMAKE_SOURCE_DIR}/bench/support/micro.cc)
target_link_libraries(bench_micro PRIVATE ps_bench benchmark::benchmark PkgConfig::JEMALLOC)
set_target_properties(bench_micro PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

foreach(source ${bench_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(bench_${name} ${source})
  target_link_libraries(bench_${name} PRIVATE ps_bench PkgConfig::JEMALLOC)
  set_target_properties(bench_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()
