/* api.h: what marks a function of the installed library. Everything without the mark is hidden in libpercept.so. */
#ifndef PERCEPT_API_H
#define PERCEPT_API_H

#if defined(__GNUC__)
#define PERCEPT_API __attribute__((visibility("default")))
#else
#define PERCEPT_API
#endif

/* The version of these headers; percept_version() is that of the library that was linked. */
#define PERCEPT_VERSION "0.1.0"

#endif
