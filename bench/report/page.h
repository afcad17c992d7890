/* The page without the result. CMake makes it of page.html, page.css and the scripts beside them. */
#pragma once

extern const char ps_report_page[];
