/* Preloaded into a process under test: writes down what it does to the files below the folder in ALDIS_TEST_DISK_FOLDER, and which of it was
   brought to the disk, in the file in ALDIS_TEST_DISK_LOG. With ALDIS_TEST_DISK_KILL_AT=N it kills the process before the N-th of these, and
   with ALDIS_TEST_DISK_LIES=1 nothing is brought to the disk, though the process is told so.

   A record: kind, inode, number and lengths of two texts, then the texts. What memory maps change is not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FILES 4096

struct head {
    uint8_t kind;
    uint64_t inode, number;
    uint32_t first, second;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int log_file = -1;
static long kill_at = -1, steps;
static int lies;
static unsigned char watched[MOST_FILES];

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("ALDIS_TEST_DISK_FOLDER"), *log = getenv("ALDIS_TEST_DISK_LOG");
    const char *limit = getenv("ALDIS_TEST_DISK_KILL_AT");
    if (!at || !log) return;
    snprintf(folder, sizeof folder, "%s", at);
    folder_length = strlen(folder);
    if (limit) kill_at = atol(limit);
    lies = getenv("ALDIS_TEST_DISK_LIES") != NULL;
    log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

/* The path below the folder, or none. */
static const char *below(int dir, const char *path, char *into) {
    if (log_file < 0) return NULL;
    if (path[0] != '/' && dir != AT_FDCWD) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, into, PATH_MAX / 2);
        if (length < 0) return NULL;
        snprintf(into + length, PATH_MAX - (size_t)length, "/%s", path);
        path = into;
    }
    if (strncmp(path, folder, folder_length) != 0 || (path[folder_length] != '/' && path[folder_length] != 0)) return NULL;
    return path[folder_length] ? path + folder_length + 1 : ".";
}

static uint64_t inode_of(int file) {
    struct stat found;
    if (log_file < 0 || file < 0 || file >= MOST_FILES || !watched[file] || fstat(file, &found) != 0) return 0;
    return S_ISREG(found.st_mode) || S_ISDIR(found.st_mode) ? found.st_ino : 0;
}

static uint64_t inode_at(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 ? found.st_ino : 0;
}

/* Before each step; under the lock. */
static void step(void) {
    if (++steps == kill_at) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

static void note(char kind, uint64_t inode, uint64_t number, const void *first, size_t one, const void *second, size_t other) {
    struct head head = {(uint8_t)kind, inode, number, (uint32_t)one, (uint32_t)other};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)first, one}, {(void *)second, other}};
    if (syscall(SYS_writev, log_file, parts, 3) < 0) abort();
}

static int opened(int (*real)(int, const char *, int, ...), int dir, const char *path, int flags, mode_t mode) {
    char absolute[PATH_MAX];
    const char *name = below(dir, path, absolute);
    if (!name) {
        int file = real(dir, path, flags, mode);
        if (file >= 0 && file < MOST_FILES) watched[file] = 0;
        return file;
    }
    pthread_mutex_lock(&lock);
    int is_new = (flags & O_CREAT) && faccessat(dir, path, F_OK, 0) != 0;
    int cuts = !is_new && (flags & O_TRUNC);
    if (is_new || cuts) step();
    int file = real(dir, path, flags, mode);
    int why = errno;
    if (file >= 0 && file < MOST_FILES) {
        watched[file] = 1;
        if (is_new) note('C', inode_of(file), 0, name, strlen(name), "", 0);
        if (cuts) note('T', inode_of(file), 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = why;
    return file;
}

#define OPEN_ARGUMENTS \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { OPEN_ARGUMENTS return opened(REAL(openat), AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPEN_ARGUMENTS return opened(REAL(openat64), AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { OPEN_ARGUMENTS return opened(REAL(openat), dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { OPEN_ARGUMENTS return opened(REAL(openat64), dir, path, flags, mode); }

ssize_t write(int file, const void *bytes, size_t length) {
    uint64_t inode = inode_of(file);
    if (!inode) return syscall(SYS_write, file, bytes, length);
    pthread_mutex_lock(&lock);
    step();
    ssize_t written = syscall(SYS_write, file, bytes, length);
    int why = errno;
    if (written > 0) note('W', inode, (uint64_t)(lseek(file, 0, SEEK_CUR) - written), bytes, (size_t)written, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return written;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    uint64_t inode = inode_of(file);
    if (!inode) return syscall(SYS_pwrite64, file, bytes, length, at);
    pthread_mutex_lock(&lock);
    step();
    ssize_t written = syscall(SYS_pwrite64, file, bytes, length, at);
    int why = errno;
    if (written > 0) note('W', inode, (uint64_t)at, bytes, (size_t)written, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return written;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return pwrite64(file, bytes, length, at); }

int ftruncate64(int file, off64_t length) {
    uint64_t inode = inode_of(file);
    if (!inode) return (int)syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&lock);
    step();
    int result = (int)syscall(SYS_ftruncate, file, length);
    int why = errno;
    if (result == 0) note('T', inode, (uint64_t)length, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

/* What was written before it began is on the disk when it has ended. */
static int synced(long call, int file) {
    uint64_t inode = inode_of(file);
    if (!inode) return (int)syscall(call, file);
    uint64_t thread = (uint64_t)syscall(SYS_gettid);
    pthread_mutex_lock(&lock);
    step();
    note('B', inode, thread, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    int result = lies ? 0 : (int)syscall(call, file);
    int why = errno;
    pthread_mutex_lock(&lock);
    step();
    if (result == 0 && !lies) note('E', inode, thread, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int fsync(int file) { return synced(SYS_fsync, file); }
int fdatasync(int file) { return synced(SYS_fdatasync, file); }

/* A change of names; `from` and `to` are below the folder, if there are two. */
static int named(char kind, const char *from, const char *to, long call, long a, long b, long c, long d, long e) {
    if (!from) return (int)syscall(call, a, b, c, d, e);
    pthread_mutex_lock(&lock);
    step();
    int result = (int)syscall(call, a, b, c, d, e);
    int why = errno;
    if (result == 0) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, kind == 'D' ? from : to ? to : ".");
        note(kind, inode_at(path), 0, from, strlen(from), to ? to : "", to ? strlen(to) : 0);
    }
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int rename(const char *from, const char *to) {
    char one[PATH_MAX], other[PATH_MAX];
    return named('R', below(AT_FDCWD, from, one), below(AT_FDCWD, to, other), SYS_rename, (long)from, (long)to, 0, 0, 0);
}

int linkat(int dir, const char *from, int into, const char *to, int flags) {
    char one[PATH_MAX], other[PATH_MAX];
    return named('L', below(dir, from, one), below(into, to, other), SYS_linkat, dir, (long)from, into, (long)to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int dir, const char *path, int flags) {
    char one[PATH_MAX];
    return named('U', below(dir, path, one), NULL, SYS_unlinkat, dir, (long)path, flags, 0, 0);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) {
    char one[PATH_MAX];
    return named('D', below(AT_FDCWD, path, one), NULL, SYS_mkdir, (long)path, mode, 0, 0, 0);
}
