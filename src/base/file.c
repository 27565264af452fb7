/* file.c: see file.h. */
#include "base/file.h"

#include "base/size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static percept_status read_stream(FILE *file, const char *path, size_t limit, char **data, size_t *size,
                                  percept_error *error) {
    size_t capacity = 65536, used = 0;
    char *buffer = malloc(capacity);
    while (buffer) {
        used += fread(buffer + used, 1, capacity - used - 1, file);
        if (ferror(file)) {
            const int reason = errno;
            free(buffer);
            if (reason == EINTR) return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "%s: interrupted", path);
            return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be read: %s", path, strerror(reason));
        }
        if (used > limit) {
            free(buffer);
            return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: larger than the limit of %zu bytes", path, limit);
        }
        if (feof(file)) {
            buffer[used] = 0;
            *data = buffer;
            *size = used;
            return PERCEPT_OK;
        }
        if (used + 1 == capacity) {
            char *larger = realloc(buffer, capacity *= 2);
            if (!larger) free(buffer);
            buffer = larger;
        }
    }
    return pct_fail_memory(error, path);
}

percept_status pct_file_read(const char *path, size_t limit, char **data, size_t *size, percept_error *error) {
    *data = NULL;
    *size = 0;
    if (strcmp(path, "-") == 0) return read_stream(stdin, "standard input", limit, data, size, error);
    if (pct_is_directory(path)) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is a folder, not a file", path);
    FILE *file = fopen(path, "rb");
    if (!file) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    percept_status status = read_stream(file, path, limit, data, size, error);
    fclose(file);
    return status;
}

percept_status pct_map_open(pct_map *map, const char *path, percept_error *error) {
    *map = (pct_map){0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat stat;
    percept_status status = PERCEPT_OK;
    if (fstat(file, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: is not a regular file", path);
    } else if (stat.st_size == 0) {
        map->data = (const unsigned char *)"";
    } else {
        void *data = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) {
            status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            *map = (pct_map){.data = data, .size = (size_t)stat.st_size, .mapped = true};
        }
    }
    close(file);
    return status;
}

void pct_map_close(pct_map *map) {
    if (map->mapped) munmap((void *)(uintptr_t)map->data, map->size);
    *map = (pct_map){0};
}

void pct_map_release(const void *data, size_t size) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1), end = ((uintptr_t)data + size) & ~(page - 1);
    if (end > begin) madvise((void *)begin, end - begin, MADV_DONTNEED); /* no page of a read-only map is ours alone */
}

/* A new file beside `path`, its name in `name`; -1 with errno. Not mkstemp's: that makes files for the owner alone, and
 * what the caller's mask leaves to others cannot be read without changing it for all threads. */
static int open_beside(char *name, size_t size, const char *path) {
    static atomic_uint made;
    int file = -1;
    for (int tries = 0; tries < 1000; tries++) {
        const unsigned mark = (unsigned)getpid() * 1000003u + atomic_fetch_add(&made, 1);
        snprintf(name, size, "%s.%08x", path, mark);
        file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0 || errno != EEXIST) break;
    }
    return file;
}

percept_status pct_writer_open(pct_writer *writer, const char *path, percept_error *error) {
    *writer = (pct_writer){0};
    size_t length = strlen(path);
    if (pct_is_device(path))
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: is a device or pipe; name a file", path);
    if (pct_is_directory(path))
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: is a folder; name a file in it", path);
    writer->path = strdup(path);
    writer->temporary = malloc(length + 16);
    if (!writer->path || !writer->temporary) {
        pct_writer_abort(writer);
        return pct_fail_memory(error, path);
    }
    int file = open_beside(writer->temporary, length + 16, path);
    if (file >= 0) writer->file = fdopen(file, "wb");
    if (!writer->file) {
        percept_status status =
            pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        else
            writer->temporary[0] = 0;
        pct_writer_abort(writer);
        return status;
    }
    return PERCEPT_OK;
}

percept_status pct_writer_commit(pct_writer *writer, percept_error *error) {
    FILE *file = writer->file;
    writer->file = NULL;
    errno = 0;
    bool good = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    int reason = errno;
    if (fclose(file) != 0 && good) {
        good = false;
        reason = errno;
    }
    if (good && rename(writer->temporary, writer->path) != 0) {
        good = false;
        reason = errno;
    }
    percept_status status = PERCEPT_OK;
    if (good) {
        writer->temporary[0] = 0;
    } else {
        status = pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be written: %s", writer->path,
                          reason ? strerror(reason) : "write error");
    }
    pct_writer_abort(writer);
    return status;
}

void pct_writer_abort(pct_writer *writer) {
    if (writer->file) fclose(writer->file);
    if (writer->temporary && writer->temporary[0]) unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    *writer = (pct_writer){0};
}

percept_status pct_file_write(const char *path, const void *data, size_t size, percept_error *error) {
    pct_writer writer;
    PCT_TRY(pct_writer_open(&writer, path, error));
    if (size) fwrite(data, 1, size, writer.file);
    return pct_writer_commit(&writer, error);
}

bool pct_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool pct_is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool pct_is_device(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode);
}

percept_status pct_make_directory(const char *path, percept_error *error) {
    char *copy = strdup(path);
    if (!copy) return pct_fail_memory(error, path);
    for (char *c = copy + 1; *copy; c++) {
        if (*c != '/' && *c) continue;
        char kept = *c;
        *c = 0;
        if (mkdir(copy, 0777) != 0 && (errno != EEXIST || !pct_is_directory(copy))) {
            percept_status status =
                pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: folder cannot be made: %s", path, strerror(errno));
            free(copy);
            return status;
        }
        *c = kept;
        if (!kept) break;
    }
    free(copy);
    return PERCEPT_OK;
}

static int skip_dots(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_byte(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

percept_status pct_lock_directory(const char *path, int *lock, percept_error *error) {
    PCT_TRY(pct_make_directory(path, error));
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) {
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be opened: %s", path, strerror(errno));
    }
    while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        int reason = errno;
        close(*lock);
        *lock = -1;
        if (reason == EWOULDBLOCK) return PERCEPT_OK;
        return pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: cannot be locked: %s", path, strerror(reason));
    }
    return PERCEPT_OK;
}

percept_status pct_directory_list(const char *path, char ***names, size_t *count, percept_error *error) {
    *names = NULL;
    *count = 0;
    struct dirent **entries;
    int found = scandir(path, &entries, skip_dots, by_byte);
    if (found < 0) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be listed: %s", path, strerror(errno));
    size_t size = (size_t)(found ? found : 1) * sizeof(char *);
    for (int i = 0; i < found; i++) size += strlen(entries[i]->d_name) + 1;
    char **block = malloc(size);
    char *text = block ? (char *)(block + (found ? found : 1)) : NULL;
    for (int i = 0; i < found; i++) {
        if (block) {
            size_t length = strlen(entries[i]->d_name) + 1;
            memcpy(text, entries[i]->d_name, length);
            block[i] = text;
            text += length;
        }
        free(entries[i]);
    }
    free(entries);
    if (!block) return pct_fail_memory(error, path);
    *names = block;
    *count = (size_t)found;
    return PERCEPT_OK;
}

char *pct_path_join(const char *folder, const char *name) {
    size_t a = strlen(folder), b = strlen(name);
    bool slash = a && folder[a - 1] != '/';
    char *path = malloc(a + b + 2);
    if (!path) return NULL;
    memcpy(path, folder, a);
    if (slash) path[a] = '/';
    memcpy(path + a + slash, name, b + 1);
    return path;
}
