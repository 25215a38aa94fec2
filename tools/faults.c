/* Lets the k-th use of a file, of memory or of a thread fail, or end the process there.

   cc -shared -fPIC -O1 -o faults.so tools/faults.c -ldl; LD_PRELOAD=./faults.so python ...

   Only files below one folder count, and only memory that one library asks for. benchmarks/faults.py
   arms it by ctypes. Linux with glibc. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { READS = 1, WRITES = 2, MEMORY = 4, THREADS = 8 };
enum { OFF, FAIL, KILL };

static struct {
    int what, how, error;
    long first, last;
    char folder[4096];
    size_t folder_length;
    const char *low, *high;
} plan;
static long seen;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* Of uses of a kind, the first-th to the last-th fail with an error, or the first ends it all. */
void faults_arm(int what, int how, long first, long last, int error, const char *folder,
                const void *low, const void *high) {
    plan.how = OFF;
    plan.what = what, plan.first = first, plan.last = last, plan.error = error;
    snprintf(plan.folder, sizeof plan.folder, "%s", folder);
    plan.folder_length = strlen(plan.folder);
    plan.low = low, plan.high = high;
    seen = 0;
    plan.how = how;
}

/* Stop, and tell how many uses there were. */
long faults_disarm(void) {
    plan.how = OFF;
    return seen;
}

static int counts(void) {
    long now = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    return now >= plan.first && now <= plan.last;
}

static int is_due(int what, const char *path) {
    return plan.how != OFF && plan.what & what && path &&
           !strncmp(path, plan.folder, plan.folder_length) && counts();
}

static int is_due_open(int what, int file) {
    if (plan.how == OFF || !(plan.what & what)) {
        return 0;
    }
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = 0;
    return is_due(what, path);
}

/* What is due fails, if it does not end the process. */
static int failure(void) {
    if (plan.how == KILL) {
        kill(getpid(), SIGKILL);
    }
    errno = plan.error;
    return -1;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int kind_of(int flags) {
    return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? WRITES : READS;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        return is_due(kind_of(flags), path) ? failure() : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OF_FILE(result, name, what, parameters, ...) \
    result name parameters { \
        REAL(name); \
        return is_due_open(what, file) ? failure() : real(__VA_ARGS__); \
    }
OF_FILE(ssize_t, read, READS, (int file, void *data, size_t n), file, data, n)
OF_FILE(ssize_t, pread, READS, (int file, void *data, size_t n, off_t at), file, data, n, at)
OF_FILE(ssize_t, pread64, READS, (int file, void *data, size_t n, off64_t at), file, data, n, at)
OF_FILE(ssize_t, writev, WRITES, (int file, const struct iovec *parts, int n), file, parts, n)
OF_FILE(int, fsync, WRITES, (int file), file)
OF_FILE(int, fdatasync, WRITES, (int file), file)
OF_FILE(int, ftruncate, WRITES, (int file, off_t size), file, size)
OF_FILE(int, ftruncate64, WRITES, (int file, off64_t size), file, size)
OF_FILE(int, fchmod, WRITES, (int file, mode_t mode), file, mode)

/* Who is killed in a write has written half of it. */
#define WRITE(name, parameters, half, ...) \
    ssize_t name parameters { \
        REAL(name); \
        if (!is_due_open(WRITES, file)) return real(__VA_ARGS__); \
        if (plan.how == KILL && real half < 0) return -1; \
        return failure(); \
    }
WRITE(write, (int file, const void *data, size_t n), (file, data, n / 2), file, data, n)
WRITE(pwrite, (int file, const void *data, size_t n, off_t at), (file, data, n / 2, at), file, data,
      n, at)
WRITE(pwrite64, (int file, const void *data, size_t n, off64_t at), (file, data, n / 2, at), file,
      data, n, at)

#define OF_PATH(name, parameters, ...) \
    int name parameters { \
        REAL(name); \
        return is_due(WRITES, path) ? failure() : real(__VA_ARGS__); \
    }
OF_PATH(rename, (const char *path, const char *to), path, to)
OF_PATH(link, (const char *path, const char *to), path, to)
OF_PATH(unlink, (const char *path), path)
OF_PATH(chmod, (const char *path, mode_t mode), path, mode)

void *mmap(void *at, size_t n, int protection, int flags, int file, off_t start) {
    REAL(mmap);
    return file >= 0 && is_due_open(READS, file)
               ? (failure(), MAP_FAILED)
               : real(at, n, protection, flags, file, start);
}

void *mmap64(void *at, size_t n, int protection, int flags, int file, off64_t start) {
    REAL(mmap64);
    return file >= 0 && is_due_open(READS, file)
               ? (failure(), MAP_FAILED)
               : real(at, n, protection, flags, file, start);
}

/* Whether what the library asks for is refused. */
static int is_refused(int what, const void *caller) {
    const char *from = caller;
    return plan.how != OFF && plan.what & what && from >= plan.low && from < plan.high && counts();
}

void *malloc(size_t n) {
    return is_refused(MEMORY, __builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    return is_refused(MEMORY, __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n) {
    return is_refused(MEMORY, __builtin_return_address(0)) ? NULL : __libc_realloc(old, n);
}

int pthread_create(pthread_t *made, const pthread_attr_t *how, void *(*run)(void *), void *with) {
    REAL(pthread_create);
    return is_refused(THREADS, __builtin_return_address(0)) ? EAGAIN : real(made, how, run, with);
}
