# penstock-java.jar: the process in which components run that are Java classes (stages/lib/java/host). It needs a JDK to be
# built, and Flume's jars of the user to run. It is compiled against signatures of Flume's interfaces, which are not in it.
find_program(PS_JAVAC javac HINTS ENV JAVA_HOME PATH_SUFFIXES bin)
find_program(PS_JAR jar HINTS ENV JAVA_HOME PATH_SUFFIXES bin)
set(PS_JAVA_JAR "")
if(PS_JAVAC AND PS_JAR)
  set(PS_JAVA_JAR ${CMAKE_BINARY_DIR}/penstock-java.jar)
  file(GLOB java_stubs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stages/lib/java/stubs/*.java)
  file(GLOB java_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stages/lib/java/host/*.java)
  set(java_resources penstock-log4j2.xml penstock-log4j.properties)
  set(java_made ${CMAKE_BINARY_DIR}/java)
  add_custom_command(OUTPUT ${PS_JAVA_JAR}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${java_made}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${java_made}/stubs ${java_made}/host
    COMMAND ${PS_JAVAC} -J-XX:TieredStopAtLevel=1 --release 8 -nowarn -Xlint:-options -d ${java_made}/stubs ${java_stubs}
    COMMAND ${PS_JAVAC} -J-XX:TieredStopAtLevel=1 --release 8 -Xlint:all,-options -Werror -cp ${java_made}/stubs -d ${java_made}/host ${java_sources}
    COMMAND ${PS_JAR} cf ${PS_JAVA_JAR} -C ${java_made}/host . -C ${CMAKE_SOURCE_DIR}/stages/lib/java/host penstock-log4j2.xml
      -C ${CMAKE_SOURCE_DIR}/stages/lib/java/host penstock-log4j.properties
    DEPENDS ${java_stubs} ${java_sources} ${CMAKE_SOURCE_DIR}/stages/lib/java/host/penstock-log4j2.xml
      ${CMAKE_SOURCE_DIR}/stages/lib/java/host/penstock-log4j.properties
    COMMENT "penstock-java.jar" VERBATIM)
  add_custom_target(penstock-java ALL DEPENDS ${PS_JAVA_JAR})
  if(TARGET penstock)
    add_dependencies(penstock penstock-java) # what is installed with it
  endif()
else()
  message(STATUS "No JDK (javac and jar): penstock-java.jar is not built, and components that are Java classes will not run")
endif()
