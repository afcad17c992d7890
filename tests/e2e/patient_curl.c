/* libcurl's curl_easy_setopt, which makes a limit of time at least a minute: patient_curl.so, which scripts preload into a
 * program that gives an answer up after a few seconds, where they are about what is in the answer. On a busy machine the
 * one that answers does not have its turn for longer. */
#include <dlfcn.h>
#include <stdarg.h>

#include <curl/curl.h>

#define PATIENCE_MS 60000L

/* A value is a long, a pointer or a curl_off_t. As they have one size, each is passed on as a long. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(long) == sizeof(curl_off_t), "values have one size");

#undef curl_easy_setopt /* a macro that checks types */
CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    CURLcode (*next)(CURL *, CURLoption, ...);
    va_list values;
    *(void **)&next = dlsym(RTLD_NEXT, "curl_easy_setopt");
    va_start(values, option);
    long value = va_arg(values, long);
    va_end(values);
    return next(curl, option, option == CURLOPT_TIMEOUT_MS && value < PATIENCE_MS ? PATIENCE_MS : value);
}
