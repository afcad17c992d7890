# The bench programs in bench/suite/. A file with a header of the same name is a part that they share; the files of micro/ are one Google
# Benchmark program (bench_micro); every other file is a program, bench_<path> (kafka/produce.c: bench_kafka_produce), which measures two
# things in turn and prints JSON objects, one per line (perf/README.md explains how to read them).
file(GLOB micro_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/suite/micro/*.c)
file(GLOB_RECURSE suite_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/suite/*.c)
list(REMOVE_ITEM suite_sources ${micro_sources})
set(suite_parts)
foreach(source ${suite_sources})
  string(REGEX REPLACE "[.]c$" ".h" header ${source})
  if(EXISTS ${header})
    list(APPEND suite_parts ${source})
  endif()
endforeach()
list(REMOVE_ITEM suite_sources ${suite_parts})

add_library(ps_suite STATIC ${suite_parts})
target_link_libraries(ps_suite PUBLIC ps_bench)

add_executable(bench_micro ${micro_sources} ${CMAKE_SOURCE_DIR}/bench/suite/micro/micro.cc)
target_link_libraries(bench_micro PRIVATE ps_suite benchmark::benchmark PkgConfig::JEMALLOC)
set_target_properties(bench_micro PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

foreach(source ${suite_sources})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/bench/suite ${source})
  string(REGEX REPLACE "[.]c$" "" name ${name})
  string(REPLACE "/" "_" name ${name})
  add_executable(bench_${name} ${source})
  target_link_libraries(bench_${name} PRIVATE ps_suite PkgConfig::JEMALLOC)
  set_target_properties(bench_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()
