/* Preloaded into a process: kills it at its n-th file operation once `killpoints_arm` was called.

   Only operations that change files count. `is_torn` lets a write put half of its bytes down, and
   any other operation happen, before the process dies. After `killpoints_log` a file has a line for
   each write (W PATH), rename (R FROM TO), removal (U PATH), sync of a file (F SIZE PATH) and of a
   disk (S), from which it follows what a power cut may have lost.

   `killpoints_kinds` has a letter for each operation: w for a write, s for a sync, o for another one;
   a capital if something else has changed files since the operation before, which SQLite does. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long left = -1;
static atomic_long counted = 0;
static atomic_int changed = 0;
static char kinds[1 << 16];
static int torn = 0;

void killpoints_arm(long n, int is_torn) { counted = 0; changed = 0; torn = is_torn; left = n; }
long killpoints_count(void) { return counted; }
const char *killpoints_kinds(void) { return kinds; }

static int log_file = -1;

void killpoints_log(const char *path) {
    log_file = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_APPEND, 0600);
}

static void note(const char *format, ...) {
    char line[3 * PATH_MAX];
    va_list rest; va_start(rest, format);
    int size = vsnprintf(line, sizeof line, format, rest); va_end(rest);
    if (log_file >= 0) syscall(SYS_write, log_file, line, size);
}

static const char *path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return path;
}

static int synced(int file, int result) {
    struct stat status;
    char path[PATH_MAX];
    if (log_file >= 0 && !result && !fstat(file, &status))
        note("F\t%lld\t%s\n", (long long)status.st_size, path_of(file, path));
    return result;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* Returns whether this operation is the last one. */
static int is_last(char kind) {
    if (left < 0) return 0;
    long number = atomic_fetch_add(&counted, 1);
    int is_after_change = atomic_exchange(&changed, 0);
    if (number < (long)sizeof kinds - 1) kinds[number] = is_after_change ? kind - 'a' + 'A' : kind;
    if (atomic_fetch_sub(&left, 1) != 1) return 0;
    if (!torn) die();
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define COUNTED(call) COUNTED_AS('o', call)
#define COUNTED_AS(kind, call) \
    int last = is_last(kind); \
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
    char path[PATH_MAX];
    note("W\t%s\n", path_of(file, path));
    if (is_last('w')) { real(file, data, size / 2); die(); }
    return real(file, data, size);
}

int fsync(int file) { REAL(int, "fsync", int); COUNTED_AS('s', synced(file, real(file))); }
int fdatasync(int file) { REAL(int, "fdatasync", int); COUNTED_AS('s', synced(file, real(file))); }
int syncfs(int file) {
    REAL(int, "syncfs", int);
    int last = is_last('s'), result = real(file);
    if (!result) note("S\n");
    if (last) die();
    return result;
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    note("R\t%s\t%s\n", from, to);
    COUNTED(real(from, to));
}
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    note("U\t%s\n", path);
    COUNTED(real(path));
}
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

/* What changes files and is no point of its own. */

#define NOTED(type, name, parameters, arguments) \
    type name parameters { \
        static type (*real) parameters; \
        if (!real) real = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
        type result = real arguments; \
        changed = 1; \
        return result; \
    }
NOTED(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at))
NOTED(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at),
      (file, data, size, at))
NOTED(ssize_t, sendfile, (int to, int from, off_t *at, size_t size), (to, from, at, size))
NOTED(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t size), (to, from, at, size))
NOTED(ssize_t, copy_file_range, (int from, off64_t *a, int to, off64_t *b, size_t size, unsigned how),
      (from, a, to, b, size, how))
NOTED(int, rmdir, (const char *path), (path))
NOTED(int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
NOTED(int, renameat, (int at, const char *from, int to_at, const char *to), (at, from, to_at, to))
NOTED(int, utimensat, (int at, const char *path, const struct timespec times[2], int flags),
      (at, path, times, flags))
NOTED(int, futimens, (int file, const struct timespec times[2]), (file, times))
NOTED(int, fchmod, (int file, mode_t mode), (file, mode))
