/* A disk that fails, or that remembers: preloaded under a process, for files below one folder.
 *
 * FAULTY_DISK_BELOW    the folder (absolute, as the process names it)
 * FAULTY_DISK_LOG      where each call that changes the disk is written down, with its data (optional)
 * FAULTY_DISK_CONTROL  a file of `struct control`, shared with whoever decides what fails (optional)
 *
 * support/faulty_disk.py reads and writes both; their layouts stand there once more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { WRITE = 1, SYNC = 2, OPEN = 4, TRUNCATE = 8, UNLINK = 16, RENAME = 32 };
enum { FILES_MAX = 1024, PATH_BYTES_MAX = 512, LOG_FD_MIN = 600 };

struct control {
    uint32_t calls;    /* which calls fail */
    int32_t error;     /* with which errno */
    int64_t skip;      /* so many succeed first */
    int64_t count;     /* so many fail then, -1 for all */
    uint32_t is_after; /* a sync does its work, then says that it failed */
    char name_end[28]; /* only files whose names end so, "" for all */
    int64_t struck;    /* how many have failed */
};

struct record { /* then the path, then the data */
    char kind;      /* Create Write Truncate Sync Folder-sync Unlink Rename Mark */
    uint8_t pad[1];
    uint16_t path_bytes;
    uint32_t data_bytes;
    uint64_t file;   /* its inode */
    uint64_t offset; /* or the size that it was cut to */
};

static struct { char path[PATH_BYTES_MAX]; uint64_t file; int is_folder; } known[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static const char *below;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("FAULTY_DISK_LOG"), *shared = getenv("FAULTY_DISK_CONTROL");
    below = getenv("FAULTY_DISK_BELOW");
    if (log) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOG_FD_MIN);
        syscall(SYS_close, fd);
    }
    if (shared) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC);
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (control == MAP_FAILED)
            abort();
        syscall(SYS_close, fd);
    }
}

static int is_below(const char *path)
{
    size_t size = below ? strlen(below) : 0;
    return below && path && strncmp(path, below, size) == 0 && (path[size] == '/' || path[size] == 0)
        && strlen(path) < PATH_BYTES_MAX;
}

static const char *path_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX && known[fd].path[0] ? known[fd].path : NULL;
}

/* Whether this call fails, with errno set. */
static int strikes(enum call call, const char *path)
{
    size_t end = control ? strnlen(control->name_end, sizeof control->name_end) : 0;
    if (!control || !(control->calls & call) || strlen(path) < end
        || memcmp(path + strlen(path) - end, control->name_end, end) != 0)
        return 0;
    if (control->skip > 0) {
        control->skip--;
        return 0;
    }
    if (control->count == 0)
        return 0;
    if (control->count > 0)
        control->count--;
    control->struck++;
    errno = control->error;
    return 1;
}

static void note(char kind, const char *path, uint64_t file, uint64_t offset, const void *data, size_t size)
{
    int before = errno;
    if (log_fd >= 0) {
        struct record head = {kind, {0}, (uint16_t)strlen(path), (uint32_t)size, file, offset};
        char whole[sizeof head + PATH_BYTES_MAX];
        memcpy(whole, &head, sizeof head);
        memcpy(whole + sizeof head, path, head.path_bytes);
        if (syscall(SYS_write, log_fd, whole, sizeof head + head.path_bytes) < 0
            || (size && syscall(SYS_write, log_fd, data, size) < 0))
            abort();
    }
    errno = before;
}

/* For the process itself: a line of its own between the calls. */
void faulty_disk_mark(const char *text)
{
    pthread_mutex_lock(&lock);
    note('M', "", 0, 0, text, strlen(text));
    pthread_mutex_unlock(&lock);
}

static int opened(const char *path, int flags, mode_t mode)
{
    struct stat facts;
    int fd, is_new, is_change = flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR);
    if (!is_below(path))
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    pthread_mutex_lock(&lock);
    is_new = (flags & O_CREAT) && syscall(SYS_newfstatat, AT_FDCWD, path, &facts, 0) < 0;
    fd = is_change && strikes(OPEN, path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= FILES_MAX)
        abort();
    if (fd >= 0 && syscall(SYS_fstat, fd, &facts) == 0) {
        strcpy(known[fd].path, path);
        known[fd].file = facts.st_ino;
        known[fd].is_folder = S_ISDIR(facts.st_mode);
        if (is_new)
            note('C', path, facts.st_ino, 0, NULL, 0);
        else if (flags & O_TRUNC)
            note('T', path, facts.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENS(name)                                                                                            \
    int name(const char *path, int flags, ...)                                                                 \
    {                                                                                                          \
        va_list rest;                                                                                          \
        va_start(rest, flags);                                                                                 \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                              \
        va_end(rest);                                                                                          \
        return opened(path, flags, mode);                                                                      \
    }
OPENS(open)
OPENS(open64)

int close(int fd)
{
    pthread_mutex_lock(&lock);
    if (path_of(fd))
        known[fd].path[0] = 0;
    int done = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t written(int fd, const void *data, size_t size, int64_t offset)
{
    ssize_t done = -1;
    pthread_mutex_lock(&lock);
    if (!strikes(WRITE, path_of(fd))) {
        uint64_t at = offset < 0 ? (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : (uint64_t)offset;
        done = offset < 0 ? syscall(SYS_write, fd, data, size) : syscall(SYS_pwrite64, fd, data, size, offset);
        if (done > 0)
            note('W', path_of(fd), known[fd].file, at, data, (size_t)done);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return path_of(fd) ? written(fd, data, size, -1) : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return path_of(fd) ? written(fd, data, size, offset) : syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return path_of(fd) ? written(fd, data, size, offset) : syscall(SYS_pwrite64, fd, data, size, offset);
}

static int cut(int fd, int64_t size)
{
    int done = -1;
    if (!path_of(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    if (!strikes(TRUNCATE, path_of(fd)) && (done = (int)syscall(SYS_ftruncate, fd, size)) == 0)
        note('T', path_of(fd), known[fd].file, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

static int synced(int fd, long call)
{
    int done = -1, is_struck, error;
    if (!path_of(fd))
        return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    is_struck = strikes(SYNC, path_of(fd));
    error = errno;
    if ((!is_struck || control->is_after) && (done = (int)syscall(call, fd)) == 0)
        note(known[fd].is_folder ? 'F' : 'S', path_of(fd), known[fd].file, 0, NULL, 0);
    if (is_struck) {
        errno = error;
        done = -1;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int unlink(const char *path)
{
    int done = -1;
    if (!is_below(path))
        return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    if (!strikes(UNLINK, path) && (done = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0)) == 0)
        note('U', path, 0, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to)
{
    int done = -1;
    if (!is_below(from))
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    pthread_mutex_lock(&lock);
    if (!strikes(RENAME, from) && (done = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)) == 0)
        note('R', from, 0, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return done;
}
