# One executable per *_test.c, named by its path (tests/core/flow/batch_test.c -> core_flow_batch), labelled by its folder below tests/ (core).
# tests/fuzz/*_fuzz.c replay their corpus (tests/fuzz/corpus/<name>/) as tests, and are libFuzzer programs in the fuzz preset.
file(GLOB test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/*_test.c ${CMAKE_SOURCE_DIR}/tests/*/*/*_test.c
  ${CMAKE_SOURCE_DIR}/tests/*/*/*/*_test.c ${CMAKE_SOURCE_DIR}/tests/*/*/*/*/*_test.c)
file(GLOB test_support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c ${CMAKE_SOURCE_DIR}/tests/support/*/*.c)
if(PS_WITHOUT)
  list(FILTER test_support EXCLUDE REGEX "${PS_WITHOUT}")
endif()

# Tests fill tables of functions (cmocka's, stages'), and need few of the parameters.
file(GLOB_RECURSE test_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*.c)
set_source_files_properties(${test_files} PROPERTIES COMPILE_OPTIONS -Wno-unused-parameter)

# The optimizer is two thirds of what compiling a test costs, and what is tested is in the library, as it is released. Not so in these folders: their
# tests race or draw through inline functions of headers (docs/decisions/0050-cost-of-tests.md).
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
set(plain_sources ${test_sources} ${fuzz_sources})
list(FILTER plain_sources EXCLUDE REGEX "/tests/(bench|core|rings|sim|stress)/")
set_source_files_properties(${plain_sources} PROPERTIES COMPILE_OPTIONS "-Wno-unused-parameter;-O0;-U_FORTIFY_SOURCE")

add_library(ps_test_support STATIC ${test_support} ${CMAKE_SOURCE_DIR}/tests/support/support.h)
set_target_properties(ps_test_support PROPERTIES LINKER_LANGUAGE C)
target_link_libraries(ps_test_support PUBLIC ps_bench ps_engine PkgConfig::CMOCKA)
target_link_options(ps_test_support INTERFACE ${ps_test_linker} -Wl,-u,sched_setscheduler) # tests/support/idle.c, before the C library

# A wait may last eight minutes where neighbours leave the machine no rest (ps_test_patient_ns in tests/support/support.h).
set(test_limit_s 900)
if(PS_SANITIZE)
  set(runner setarch -R) # sanitizers want no address randomization where vm.mmap_rnd_bits is 32
  set(test_limit_s 1800) # they take longer, and ./test.sh runs them at a lower priority, beside others
endif()
set(test_environment "PENSTOCK=$<TARGET_FILE_DIR:ps_engine>/penstock;PENSTOCK_SOURCE=${CMAKE_SOURCE_DIR};PENSTOCK_TOOLS=${CMAKE_BINARY_DIR}/tests"
  "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp:halt_on_error=1:exitcode=66"
  "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp")

# Every test runs in a network and mounts of its own (docs/decisions/0047), except the scripts of tests/real, which share servers with each other: ./test.sh
# gives all of them one network. And except those with a line "# Shares the network: REASON".
# Nor has tests/hold_threads.c a sanitizer, which tests/hold has isolated call.
foreach(name isolated hold_threads)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/tests/${name}.c)
  set_target_properties(${name} PROPERTIES C_STANDARD 17 RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wconversion -Wshadow) # no sanitizer: a process with its threads cannot change its user namespace
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  if(TARGET penstock)
    add_dependencies(penstock ${name})
  endif()
endforeach()
list(PREPEND runner $<TARGET_FILE:isolated>)

# A script with a line "# No sanitizer:" does not run in the builds that have one: it shows nothing about memory or threads of the program.
function(test_name source name_out folder_out) # tests/core/flow/batch_test.c -> core_flow_batch, core
  file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR}/tests ${source})
  string(REGEX REPLACE "_test[.](c|sh)$" "" path ${path})
  string(REGEX REPLACE "/.*" "" folder ${path})
  string(REPLACE "/" "_" path ${path})
  set(${name_out} ${path} PARENT_SCOPE)
  set(${folder_out} ${folder} PARENT_SCOPE)
endfunction()

if(PS_SANITIZE)
  list(APPEND test_environment "CRASH_CYCLES=40") # docs/decisions/0050: the release build has all
endif()

foreach(source ${test_sources})
  test_name(${source} target folder)
  add_executable(${target} ${source})
  if(target MATCHES "^bench_load_(lane_lane|load)$|^commands_") # the real lane, not that of tests/support/fake_lane.h
    target_link_libraries(${target} PRIVATE ps_bench)
  endif()
  target_link_libraries(${target} PRIVATE ps_test_support)
  add_dependencies(${target} isolated)
  if(target MATCHES "^commands_")
    target_link_libraries(${target} PRIVATE ps_commands)
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${target} COMMAND ${runner} $<TARGET_FILE:${target}>)
  set_tests_properties(${target} PROPERTIES LABELS ${folder} TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}" SKIP_RETURN_CODE 77)
endforeach()

# Programs that run a Kafka sink run once more, with librdkafka (tests/support/stage.c).
foreach(target stages_conformance_sink stages_conformance_sink_again
    stages_sinks_kafka)
  get_property(folder TEST ${target} PROPERTY LABELS)
  add_test(NAME ${target}_librdkafka COMMAND ${runner} $<TARGET_FILE:${target}>)
  set_tests_properties(${target}_librdkafka PROPERTIES LABELS ${folder} TIMEOUT ${test_limit_s}
    ENVIRONMENT "${test_environment};PENSTOCK_TEST_KAFKA_ENGINE=librdkafka" SKIP_RETURN_CODE 77)
endforeach()

# The simulator's Java host (tests/support/fake_java_world.h) takes the place of these functions, in this program alone.
foreach(function ps_clock_now ps_spawn ps_spawn_poll ps_thread_start ps_thread_join ps_worker_wake_fd poll kill fopen)
  target_link_options(sim_java PRIVATE -Wl,--wrap=${function})
endforeach()

# The source taildir, whose work the test of many files counts (tests/support/work.h).
if(NOT PS_SANITIZE)
  file(GLOB_RECURSE tail_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stages/lib/tail/*.c)
  add_library(tail_counted OBJECT ${tail_sources} ${CMAKE_SOURCE_DIR}/stages/sources/taildir.c)
  target_compile_options(tail_counted PRIVATE -O1 -fsanitize-coverage=trace-pc)
  target_link_libraries(tail_counted PRIVATE ps_engine)
  target_link_libraries(stages_sources_taildir_many PRIVATE tail_counted)
  target_compile_definitions(stages_sources_taildir_many PRIVATE PS_TEST_WORK=1)
endif()

# What scripts need beside the program: every tests/real/*.c, and the helpers of tests/crash.
file(GLOB real_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/real/*.c)
add_custom_target(real_tools)
foreach(source ${real_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ps_flags PkgConfig::RDKAFKA)
  if(name MATCHES "^flume_draws$|^hadoop_file_write$|^orc_write$|^hive_calls$|^hive_rows$") # it calls the engine's own stages
    target_link_libraries(${name} PRIVATE ps_test_support)
  endif()
  if(name MATCHES "^hdfs_") # penstock's own client
    target_link_libraries(${name} PRIVATE ps_engine)
  endif()
  add_dependencies(real_tools ${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

# Scripts: *_test.sh, named and labelled the same way; they need the program. Exit 77 with a line "SKIP: reason" when something is missing.
file(GLOB test_scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/*_test.sh ${CMAKE_SOURCE_DIR}/tests/*/*/*_test.sh
  ${CMAKE_SOURCE_DIR}/tests/*/*/*/*_test.sh)
foreach(source ${test_scripts})
  test_name(${source} target folder)
  file(STRINGS ${source} not_sanitized REGEX "^# No sanitizer:")
  if(PS_SANITIZE AND not_sanitized)
    continue()
  endif()
  file(STRINGS ${source} shares REGEX "^# Shares the network:")
  set(script_runner ${runner})
  if(folder STREQUAL "real" OR shares)
    list(REMOVE_ITEM script_runner $<TARGET_FILE:isolated>)
  endif()
  add_test(NAME ${target} COMMAND ${script_runner} bash ${source})
  set_tests_properties(${target} PROPERTIES LABELS ${folder} TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}" SKIP_RETURN_CODE 77)
  file(STRINGS ${source} alone REGEX "^# Runs alone:") # its outcome depends on having the machine to itself
  if(alone)
    set_tests_properties(${target} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if(folder STREQUAL "real") # "# Needs: kafka flume": the servers that it starts, for ./test.sh --real kafka
    file(STRINGS ${source} needs REGEX "^# Needs:")
    string(REGEX MATCHALL "[a-z0-9]+" needs "${needs}")
    list(REMOVE_ITEM needs eeds)
    list(TRANSFORM needs PREPEND real_)
    # Several JVMs start in it: a minute on a quiet machine, ten on a busy one.
    set_tests_properties(${target} PROPERTIES LABELS "real;${needs}" TIMEOUT 1800)
  endif()
endforeach()

# tests/crash: a library that kills its process at a chosen system call, and a reader of a topic.
add_library(crash_kill_at MODULE ${CMAKE_SOURCE_DIR}/tests/crash/kill_at.c)
set_target_properties(crash_kill_at PROPERTIES PREFIX "" C_STANDARD 17 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_compile_options(crash_kill_at PRIVATE -Wall -Wextra -Wconversion -Wshadow)
target_compile_definitions(crash_kill_at PRIVATE _GNU_SOURCE)
add_executable(crash_topic_lines ${CMAKE_SOURCE_DIR}/tests/crash/topic_lines.c)
target_link_libraries(crash_topic_lines PRIVATE ps_flags PkgConfig::RDKAFKA)
set_target_properties(crash_topic_lines PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(real_tools crash_kill_at crash_topic_lines)
add_library(not_idle MODULE ${CMAKE_SOURCE_DIR}/tests/support/idle.c)
set_target_properties(not_idle PROPERTIES PREFIX "" C_STANDARD 17 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_compile_options(not_idle PRIVATE -Wall -Wextra -Wconversion -Wshadow)
target_compile_definitions(not_idle PRIVATE _GNU_SOURCE)
add_dependencies(real_tools not_idle)
add_library(patient_curl MODULE ${CMAKE_SOURCE_DIR}/tests/e2e/patient_curl.c)
set_target_properties(patient_curl PROPERTIES PREFIX "" C_STANDARD 17 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_compile_options(patient_curl PRIVATE -Wall -Wextra -Wconversion -Wshadow)
target_compile_definitions(patient_curl PRIVATE _GNU_SOURCE)
target_link_libraries(patient_curl PRIVATE PkgConfig::CURL)
add_dependencies(real_tools patient_curl)
add_dependencies(stages_lib_rules_live_compile not_idle)
add_dependencies(core_plugin_elf not_idle)
if(TARGET penstock-java) # a jar of another version than the program ends the Java host
  add_dependencies(real_tools penstock-java)
endif()

# tests/support/java_host.h: a Java host without Java, which tests start.
add_executable(java_fake_host
  ${CMAKE_SOURCE_DIR}/tests/support/java/host/host.c ${CMAKE_SOURCE_DIR}/tests/support/java/entries.c
  ${CMAKE_SOURCE_DIR}/tests/support/java/host/interceptor.c ${CMAKE_SOURCE_DIR}/tests/support/java/host/source.c)
target_link_libraries(java_fake_host PRIVATE ps_engine)
set_target_properties(java_fake_host PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(ps_test_support java_fake_host)

foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_fuzz$" "" name ${name})
  set(target fuzz_${name})
  if(PS_SANITIZE STREQUAL "fuzzer")
    add_executable(${target} ${source})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${target} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
  endif()
  target_link_libraries(${target} PRIVATE ps_test_support)
  add_dependencies(${target} isolated)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${target} COMMAND ${runner} $<TARGET_FILE:${target}> ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(${target} PROPERTIES LABELS fuzz TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}")
endforeach()

# Seeds with which a test failed once.
file(STRINGS ${CMAKE_SOURCE_DIR}/tests/seeds.txt seeds REGEX "^[a-z0-9_]+ [0-9]+ #")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/seeds.txt)
foreach(line ${seeds})
  string(REGEX MATCH "^([a-z0-9_]+) ([0-9]+)" ignored "${line}")
  if(NOT TARGET ${CMAKE_MATCH_1})
    message(FATAL_ERROR "tests/seeds.txt names ${CMAKE_MATCH_1}, which is no test program")
  endif()
  set(test ${CMAKE_MATCH_1}_seed_${CMAKE_MATCH_2})
  get_property(folder TEST ${CMAKE_MATCH_1} PROPERTY LABELS)
  add_test(NAME ${test} COMMAND ${runner} $<TARGET_FILE:${CMAKE_MATCH_1}>)
  set_tests_properties(${test} PROPERTIES LABELS ${folder} TIMEOUT ${test_limit_s}
    ENVIRONMENT "${test_environment};PENSTOCK_SEED=${CMAKE_MATCH_2}" SKIP_RETURN_CODE 77)
endforeach()

# How much of the machine a test takes, in quarters of a CPU. ./test.sh gives ctest four slots for each CPU, so that tests that wait (for a
# broker, a time-out, a child) run side by side. A test takes two unless tests/slots.txt says another number; measured with ./test.sh --slots.
file(STRINGS ${CMAKE_SOURCE_DIR}/tests/slots.txt slots REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/slots.txt)
get_property(all_tests DIRECTORY PROPERTY TESTS)
foreach(test ${all_tests})
  set_tests_properties(${test} PROPERTIES PROCESSORS 2)
endforeach()
foreach(line ${slots})
  string(REGEX MATCH "^([a-z0-9_]+) +([1-4])" ignored "${line}")
  if(CMAKE_MATCH_1 IN_LIST all_tests)
    set_tests_properties(${CMAKE_MATCH_1} PROPERTIES PROCESSORS ${CMAKE_MATCH_2})
    set(test ${CMAKE_MATCH_1})
    if(line MATCHES "# ([0-9]+) s") # the longest begin first
      set_tests_properties(${test} PROPERTIES COST ${CMAKE_MATCH_1})
    endif()
  elseif(NOT PS_SANITIZE)
    message(WARNING "tests/slots.txt names ${CMAKE_MATCH_1}, which is no test")
  endif()
endforeach()

# The world: the whole agent, whose calls of the system the program itself defines (tests/world). ThreadSanitizer and libFuzzer have symbols of their own there.
if(NOT PS_SANITIZE MATCHES "thread|fuzzer")
  file(GLOB world_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/world/*.c ${CMAKE_SOURCE_DIR}/tests/world/calls/*.c ${CMAKE_SOURCE_DIR}/tests/world/peers/*.c
    ${CMAKE_SOURCE_DIR}/tests/world/scenario/*.c
    ${CMAKE_SOURCE_DIR}/tests/world/peers/kafka/*.c ${CMAKE_SOURCE_DIR}/tests/world/peers/rpc/*.c ${CMAKE_SOURCE_DIR}/tests/world/peers/hadoop/*.c
    ${CMAKE_SOURCE_DIR}/tests/world/peers/hbase/*.c ${CMAKE_SOURCE_DIR}/tests/world/peers/hive/*.c ${CMAKE_SOURCE_DIR}/tests/world/peers/kudu/*.c ${CMAKE_SOURCE_DIR}/tests/support/orc_reader.c)
  set_source_files_properties(${world_sources} PROPERTIES COMPILE_OPTIONS "-Wno-unused-parameter;-Wno-missing-prototypes;-U_FORTIFY_SOURCE;-fno-builtin")
  # The world's own allocations never fail; those of the product's code may (tests/world/calls/memory.c).
  set(own __libc)
  if(PS_SANITIZE STREQUAL "address")
    set(own __interceptor)
  endif()
  set_source_files_properties(${world_sources} PROPERTIES COMPILE_DEFINITIONS "malloc=${own}_malloc;calloc=${own}_calloc;realloc=${own}_realloc;strdup=world_strdup")
  add_executable(world ${world_sources})
  target_compile_definitions(world PRIVATE $<$<BOOL:${PS_COVERAGE}>:PS_COVERAGE>)
  target_link_libraries(world PRIVATE ps_commands ps_bench ps_engine)
  target_link_options(world PRIVATE -rdynamic -Wl,--wrap=ps_metrics_server_start,--wrap=ps_metrics_server_stop)
  set_target_properties(world PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_dependencies(world isolated)
  function(world_test name)
    add_test(NAME world_${name} COMMAND ${runner} $<TARGET_FILE:world> ${ARGN})
    set_tests_properties(world_${name} PROPERTIES LABELS world TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}")
  endfunction()
  if(PS_SANITIZE STREQUAL "address")
    world_test(seeds_1 --from 1 --runs 20)
    world_test(seeds_21 --from 21 --runs 20)
    world_test(referee_freed --runs 10 --plant freed)
    return() # scenarios and the rest of the seeds are the release build's
  endif()
  foreach(first RANGE 1 151 10) # several tests, so that they share the CPUs with whatever runs beside them
    world_test(seeds_${first} --from ${first} --runs 10)
  endforeach()
  file(GLOB scenarios CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/scenarios/*.scn)
  foreach(file ${scenarios})
    cmake_path(GET file STEM name)
    add_test(NAME scenario_${name} COMMAND ${runner} $<TARGET_FILE:world> --scenario ${file} --runs 2)
    set_tests_properties(scenario_${name} PROPERTIES LABELS world TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}")
  endforeach()
  find_program(PS_PYTHON3 python3)
  if(PS_PYTHON3) # those that can be played with a real agent are, too
    execute_process(COMMAND ${PS_PYTHON3} ${CMAKE_SOURCE_DIR}/tests/scenarios/real --list ${scenarios} OUTPUT_VARIABLE real_scenarios COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[a-z0-9_]+" real_scenarios "${real_scenarios}")
  endif()
  foreach(name ${real_scenarios})
    add_test(NAME e2e_scenario_${name} COMMAND ${runner} python3 ${CMAKE_SOURCE_DIR}/tests/scenarios/real ${CMAKE_SOURCE_DIR}/tests/scenarios/${name}.scn)
    set_tests_properties(e2e_scenario_${name} PROPERTIES LABELS e2e TIMEOUT ${test_limit_s} ENVIRONMENT "${test_environment}" SKIP_RETURN_CODE 77)
  endforeach()
  foreach(plant swapped counted unready descriptor thread memory file late lines assertion lost doubled invented astray header plain) # the referee is tested, too
    world_test(referee_${plant} --runs 40 --plant ${plant})
  endforeach()
  # A bad seed is made small: the violation is one of the eighth event, or needs a power cut.
  world_test(shrink --from 5 --runs 40 --plant lost --shrink)
  set_tests_properties(world_shrink PROPERTIES PASS_REGULAR_EXPRESSION "small after [0-9]+ runs: 1 lives, at most ([89]|1[0-6]) events each, 0 faults")
  world_test(referee_silent --from 294 --runs 3000 --only "-> file ->" --plant silent) # seeds that lose something to a disk that decays are few
  world_test(referee_stuck --runs 2000 --only file_roll --plant stuck)
  world_test(referee_no-sync --from 116 --runs 300 --plant no-sync) # few seeds lose something without a sync
  foreach(plant ahead behind)
    world_test(referee_${plant} --runs 2000 --only "taildir -> memory" --plant ${plant})
  endforeach()
  foreach(plant skipped aborted)
    world_test(referee_${plant} --runs 200 --only "kafka -> memory -> kafka" --plant ${plant})
  endforeach()
endif()
