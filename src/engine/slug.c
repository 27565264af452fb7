/* slug.c: see slug.h. */
#include "engine/slug.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

void pct_slug(char *out, size_t size, const char *phrase) {
    size_t most = size - 1 < 40 ? size - 1 : 40, length = 0;
    bool gap = false;
    for (const char *at = phrase; *at && length < most; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
        if (!is_lower(c) && !is_digit(c)) {
            gap = length > 0;
            continue;
        }
        if (gap && length + 1 < most) out[length++] = '-';
        gap = false;
        out[length++] = c;
    }
    out[length] = 0;
    if (length == 0) memcpy(out, "region", sizeof "region");
}

const char *pct_last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *pct_stem(const char *path) {
    const char *part = pct_last_part(path);
    const char *dot = strrchr(part, '.');
    size_t length = dot && dot > part ? (size_t)(dot - part) : strlen(part);
    bool hidden = length > 0 && strspn(part, ".") >= length;
    char *stem = length == 0 || hidden ? strdup("image") : strndup(part, length < 200 ? length : 200);
    for (char *at = stem; at && *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '_';
    }
    return stem;
}
