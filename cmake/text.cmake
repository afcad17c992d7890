# Files as texts in C.

# Reads a file into OUT; a change of the file configures again.
function(ps_read_text out file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# Makes OUT a string literal of C.
function(ps_c_text out text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  set(${out} "\"${text}\"" PARENT_SCOPE)
endfunction()

# The page of `penstock plan --report` with its style and its script.
function(ps_report_page out)
  foreach(name page.html page.css chart.js curves.js page.js)
    ps_read_text(${name} ${CMAKE_SOURCE_DIR}/bench/report/${name})
  endforeach()
  string(REPLACE "@PAGE_STYLE@" "${page.css}" page "${page.html}")
  string(REPLACE "@PAGE_SCRIPT@" "${chart.js}\n${curves.js}\n${page.js}" page "${page}")
  ps_c_text(page "${page}")
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
    "#include \"bench/report/page.h\"\n\nconst char ps_report_page[] =\n    @page@;\n")
endfunction()

# The names of Unicode's blocks, for expressions.
function(ps_java_blocks out)
  ps_read_text(blocks ${CMAKE_SOURCE_DIR}/regex/java/blocks.txt)
  ps_c_text(blocks "${blocks}")
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT "static const char ps_java_blocks[] =\n    @blocks@;\n")
endfunction()
