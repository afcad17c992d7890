/* The page's text without the result; CMake makes it of page.html, page.css and page.js. */
#pragma once

extern const char ps_report_page[];
