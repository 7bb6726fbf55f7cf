/* Preloaded into a process: files under $FOLDING_DISK are found whatever the case of their names, as
   on disks of Windows, macOS and exFAT. Only the letters A to Z of a path's last name are folded. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    char found[PATH_MAX]; \
    (void)found; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* Returns the path of the file that there is by this name; `path` if there is none. */
static const char *as_it_is(const char *path, char *found) {
    const char *root = getenv("FOLDING_DISK");
    const char *name = path ? strrchr(path, '/') : NULL;
    if (!root || !name || strncmp(path, root, strlen(root)) || strlen(path) >= PATH_MAX) return path;
    char folder[PATH_MAX];
    memcpy(folder, path, name - path);
    folder[name - path] = 0;
    DIR *entries = opendir(folder);
    if (!entries) return path;
    int is_found = 0, is_exact = 0;
    for (struct dirent *entry; !is_exact && (entry = readdir(entries));) {
        if (strcasecmp(entry->d_name, name + 1)) continue;
        is_exact = !strcmp(entry->d_name, name + 1);
        is_found = snprintf(found, PATH_MAX, "%s/%s", folder, entry->d_name) < PATH_MAX;
    }
    closedir(entries);
    return is_found && !is_exact ? found : path;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        static int (*real)(const char *, int, ...); \
        char found[PATH_MAX]; \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        return real(as_it_is(path, found), flags, mode); \
    }
OPENS(open)
OPENS(open64)

#define LOOKS(name, type) \
    int name(const char *path, struct type *status) { \
        REAL(name); \
        return real(as_it_is(path, found), status); \
    }
LOOKS(stat, stat)
LOOKS(lstat, stat)
LOOKS(stat64, stat64)
LOOKS(lstat64, stat64)

#define LOOKS_AT(name, type) \
    int name(int folder, const char *path, struct type *status, int flags) { \
        REAL(name); \
        return real(folder, as_it_is(path, found), status, flags); \
    }
LOOKS_AT(fstatat, stat)
LOOKS_AT(fstatat64, stat64)

int access(const char *path, int mode) { REAL(access); return real(as_it_is(path, found), mode); }
int unlink(const char *path) { REAL(unlink); return real(as_it_is(path, found)); }
ssize_t readlink(const char *path, char *to, size_t size) {
    REAL(readlink);
    return real(as_it_is(path, found), to, size);
}
int rename(const char *from, const char *to) {
    REAL(rename);
    char target[PATH_MAX];
    return real(as_it_is(from, found), as_it_is(to, target));
}
