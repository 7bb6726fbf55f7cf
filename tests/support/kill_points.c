/* Preloaded into a process: kills it at its n-th file operation once `killpoints_arm` was called.

   Only operations that change files count. `is_torn` lets a write put half of its bytes down, and
   any other operation happen, before the process dies. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long left = -1;
static atomic_long counted = 0;
static int torn = 0;

void killpoints_arm(long n, int is_torn) { counted = 0; torn = is_torn; left = n; }
long killpoints_count(void) { return counted; }

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* Returns whether this operation is the last one. */
static int is_last(void) {
    if (left < 0) return 0;
    atomic_fetch_add(&counted, 1);
    if (atomic_fetch_sub(&left, 1) != 1) return 0;
    if (!torn) die();
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define COUNTED(call) \
    int last = is_last(); \
    __typeof__(call) result = call; \
    if (last) die(); \
    return result

static int changes(int flags) { return flags & (O_CREAT | O_TRUNC); }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; va_end(rest); \
        REAL(int, #name, const char *, int, ...); \
        if (!changes(flags)) return real(path, flags, mode); \
        COUNTED(real(path, flags, mode)); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; va_end(rest); \
        REAL(int, #name, int, const char *, int, ...); \
        if (!changes(flags)) return real(at, path, flags, mode); \
        COUNTED(real(at, path, flags, mode)); \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    struct stat status;
    if (left < 0 || fstat(file, &status) || !S_ISREG(status.st_mode)) return real(file, data, size);
    if (is_last()) { real(file, data, size / 2); die(); }
    return real(file, data, size);
}

int fsync(int file) { REAL(int, "fsync", int); COUNTED(real(file)); }
int fdatasync(int file) { REAL(int, "fdatasync", int); COUNTED(real(file)); }
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    COUNTED(real(from, to));
}
int unlink(const char *path) { REAL(int, "unlink", const char *); COUNTED(real(path)); }
int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *);
    COUNTED(real(from, to));
}
int chmod(const char *path, mode_t mode) {
    REAL(int, "chmod", const char *, mode_t);
    COUNTED(real(path, mode));
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    COUNTED(real(path, mode));
}
int ftruncate(int file, off_t size) { REAL(int, "ftruncate", int, off_t); COUNTED(real(file, size)); }
int ftruncate64(int file, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    COUNTED(real(file, size));
}
