/* slug.h: a name that is safe in a file name, made of a phrase or of a picture's path. */
#ifndef PCT_ENGINE_SLUG_H
#define PCT_ENGINE_SLUG_H

#include <stddef.h>

/* Lower-case ASCII letters and digits of the phrase, everything else one '-' between them, at most 40 characters;
 * "region" when nothing is left. `size` >= 48. */
void pct_slug(char *out, size_t size, const char *phrase);

/* The last part of a path without its extension, control characters turned into '_'; "image" when nothing is left.
 * malloc'd, NULL when memory is out. */
char *pct_stem(const char *path);
/* The last part of a path with its extension; points into `path`. */
const char *pct_last_part(const char *path);

#endif
