// What a command does to a folder, in order: written to a file, from which `power.rs` makes the disks that a loss of power
// may leave. Loaded into the command by LD_PRELOAD; POWER_ROOT names the folder, POWER_LOG the file.
//
// Each record is a head and three pieces of bytes: a path, another path, data. One lock is held over each call and its
// record, so that the order of the records is the order of the calls, whatever the threads.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
    uint8_t what; // C create, T truncate to, W write, S sync, R rename, M mkdir, L link, U unlink, D rmdir
    uint64_t inode;
    uint64_t at;
    uint32_t path;
    uint32_t other;
    uint64_t data;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int to = -1;
static const char *root = NULL;
static size_t root_length = 0;

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("POWER_LOG");
    root = getenv("POWER_ROOT");
    if (log && root) {
        root_length = strlen(root);
        to = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

// What cannot be recorded must not go unseen: a test that knows half would be green.
static void fail(const char *why) {
    fprintf(stderr, "recorder: %s: %s\n", why, strerror(errno));
    abort();
}

static void put(char what, uint64_t inode, uint64_t at, const char *path, const char *other, const void *data, size_t length) {
    struct head head = {(uint8_t)what, inode, at, path ? strlen(path) : 0, other ? strlen(other) : 0, length};
    struct iovec pieces[4] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)other, head.other}, {(void *)data, length}};
    size_t all = sizeof head + head.path + head.other + length;
    for (int first = 0; all > 0;) {
        ssize_t done = syscall(SYS_writev, to, pieces + first, 4 - first);
        if (done < 0) fail("the record cannot be written");
        all -= (size_t)done;
        while (first < 4 && (size_t)done >= pieces[first].iov_len) done -= (ssize_t)pieces[first++].iov_len;
        if (first < 4) {
            pieces[first].iov_base = (char *)pieces[first].iov_base + done;
            pieces[first].iov_len -= (size_t)done;
        }
    }
}

static int is_below(const char *path) {
    return to >= 0 && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int path_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    if (length < 0) return 0;
    out[length] = 0;
    return 1;
}

// The path in full, as the command named it; whether it lies below the folder.
static int names(int folder, const char *path, char *out) {
    char base[PATH_MAX] = "";
    if (to < 0 || !path) return 0;
    if (path[0] != '/' && (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base))) return 0;
    if (snprintf(out, PATH_MAX, path[0] == '/' ? "%s%s" : "%s/%s", base, path) >= PATH_MAX) return 0;
    return is_below(out);
}

// The file's inode, if it lies below the folder and has a name.
static int inode_of(int fd, uint64_t *inode) {
    char path[PATH_MAX];
    struct stat about;
    if (to < 0 || !path_of(fd, path) || !is_below(path) || fstat(fd, &about) != 0 || about.st_nlink == 0) return 0;
    *inode = about.st_ino;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
// Does a call under the lock, and then what records it, if the call worked.
#define RECORDED(type, call, record)          \
    do {                                      \
        pthread_mutex_lock(&lock);            \
        type result = (call);                 \
        int error = errno;                    \
        if (result >= 0) { record; }          \
        pthread_mutex_unlock(&lock);          \
        errno = error;                        \
        return result;                        \
    } while (0)

static int opened(int (*real)(int, const char *, int, ...), int folder, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    struct stat about;
    int makes = (flags & O_CREAT) || ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY);
    if (!makes || (flags & O_TMPFILE) == O_TMPFILE || !names(folder, path, full)) return real(folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    int was_there = syscall(SYS_newfstatat, folder, path, &about, 0) == 0;
    int fd = real(folder, path, flags, mode), error = errno;
    if (fd >= 0) {
        if (fstat(fd, &about) != 0) fail("an open file has no inode");
        if (!was_there) put('C', about.st_ino, 0, full, NULL, NULL, 0);
        else if (flags & O_TRUNC) put('T', about.st_ino, 0, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE                              \
    mode_t mode = 0;                      \
    if (flags & (O_CREAT | O_TMPFILE)) {  \
        va_list more;                     \
        va_start(more, flags);            \
        mode = va_arg(more, mode_t);      \
        va_end(more);                     \
    }

int openat(int folder, const char *path, int flags, ...) { MODE return opened(REAL(openat), folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return opened(REAL(openat), folder, path, flags | O_LARGEFILE, mode); }
int open(const char *path, int flags, ...) { MODE return opened(REAL(openat), AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(REAL(openat), AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return opened(REAL(openat), AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static uint64_t before(int fd, ssize_t done) { return (uint64_t)(lseek(fd, 0, SEEK_CUR) - done); }

ssize_t write(int fd, const void *data, size_t length) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(write)(fd, data, length);
    RECORDED(ssize_t, REAL(write)(fd, data, length), put('W', inode, before(fd, result), NULL, NULL, data, (size_t)result));
}

static ssize_t pwritten(int fd, const void *data, size_t length, off_t at) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(pwrite)(fd, data, length, at);
    RECORDED(ssize_t, REAL(pwrite)(fd, data, length, at), put('W', inode, (uint64_t)at, NULL, NULL, data, (size_t)result));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwritten(fd, data, length, at); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return pwritten(fd, data, length, at); }

static void put_pieces(uint64_t inode, uint64_t at, const struct iovec *pieces, int count, size_t left) {
    for (int piece = 0; piece < count && left > 0; piece++) {
        size_t length = pieces[piece].iov_len < left ? pieces[piece].iov_len : left;
        put('W', inode, at, NULL, NULL, pieces[piece].iov_base, length);
        at += length;
        left -= length;
    }
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(writev)(fd, pieces, count);
    RECORDED(ssize_t, REAL(writev)(fd, pieces, count), put_pieces(inode, before(fd, result), pieces, count, (size_t)result));
}

static ssize_t pwritten_pieces(int fd, const struct iovec *pieces, int count, off_t at) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(pwritev)(fd, pieces, count, at);
    RECORDED(ssize_t, REAL(pwritev)(fd, pieces, count, at), put_pieces(inode, (uint64_t)at, pieces, count, (size_t)result));
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) { return pwritten_pieces(fd, pieces, count, at); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) { return pwritten_pieces(fd, pieces, count, at); }

// What the system copied by itself is read where it came from.
static void put_copied(uint64_t inode, uint64_t at, int from, uint64_t from_at, size_t length) {
    char *data = malloc(length);
    if (!data || pread(from, data, length, (off_t)from_at) != (ssize_t)length) fail("a copy cannot be read");
    put('W', inode, at, NULL, NULL, data, length);
    free(data);
}

ssize_t copy_file_range(int from, off64_t *from_at, int fd, off64_t *at, size_t length, unsigned flags) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(copy_file_range)(from, from_at, fd, at, length, flags);
    RECORDED(ssize_t, REAL(copy_file_range)(from, from_at, fd, at, length, flags),
             if (result > 0) put_copied(inode, at ? (uint64_t)(*at - result) : before(fd, result), from,
                                        from_at ? (uint64_t)(*from_at - result) : before(from, result), (size_t)result));
}

static ssize_t sent(int fd, int from, off_t *from_at, size_t length) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(sendfile)(fd, from, from_at, length);
    RECORDED(ssize_t, REAL(sendfile)(fd, from, from_at, length),
             if (result > 0) put_copied(inode, before(fd, result), from,
                                        from_at ? (uint64_t)(*from_at - result) : before(from, result), (size_t)result));
}
ssize_t sendfile(int fd, int from, off_t *from_at, size_t length) { return sent(fd, from, from_at, length); }
ssize_t sendfile64(int fd, int from, off64_t *from_at, size_t length) { return sent(fd, from, from_at, length); }

static int truncated(int fd, off_t length) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(ftruncate)(fd, length);
    RECORDED(int, REAL(ftruncate)(fd, length), put('T', inode, (uint64_t)length, NULL, NULL, NULL, 0));
}
int ftruncate(int fd, off_t length) { return truncated(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncated(fd, length); }

static int allocated(int fd, int mode, off_t at, off_t length) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(fallocate)(fd, mode, at, length);
    struct stat about;
    RECORDED(int, REAL(fallocate)(fd, mode, at, length),
             if (fstat(fd, &about) == 0) put('T', inode, (uint64_t)about.st_size, NULL, NULL, NULL, 0));
}
int fallocate(int fd, int mode, off_t at, off_t length) { return allocated(fd, mode, at, length); }
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return allocated(fd, mode, at, length); }

int fsync(int fd) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(fsync)(fd);
    RECORDED(int, REAL(fsync)(fd), put('S', inode, 0, NULL, NULL, NULL, 0));
}
int fdatasync(int fd) {
    uint64_t inode;
    if (!inode_of(fd, &inode)) return REAL(fdatasync)(fd);
    RECORDED(int, REAL(fdatasync)(fd), put('S', inode, 0, NULL, NULL, NULL, 0));
}

static int moved(int from_folder, const char *from, int to_folder, const char *target, unsigned flags) {
    char old[PATH_MAX], new[PATH_MAX];
    int is_ours = names(from_folder, from, old) & names(to_folder, target, new);
    if (!is_ours) return (int)syscall(SYS_renameat2, from_folder, from, to_folder, target, flags);
    if (flags & RENAME_EXCHANGE) fail("an exchange of names is not understood");
    RECORDED(int, (int)syscall(SYS_renameat2, from_folder, from, to_folder, target, flags), put('R', 0, 0, old, new, NULL, 0));
}
int rename(const char *from, const char *target) { return moved(AT_FDCWD, from, AT_FDCWD, target, 0); }
int renameat(int a, const char *from, int b, const char *target) { return moved(a, from, b, target, 0); }
int renameat2(int a, const char *from, int b, const char *target, unsigned flags) { return moved(a, from, b, target, flags); }

int mkdirat(int folder, const char *path, mode_t mode) {
    char full[PATH_MAX];
    struct stat about;
    if (!names(folder, path, full)) return REAL(mkdirat)(folder, path, mode);
    RECORDED(int, REAL(mkdirat)(folder, path, mode),
             if (stat(full, &about) != 0) fail("a folder has no inode"); put('M', about.st_ino, 0, full, NULL, NULL, 0));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int a, const char *from, int b, const char *target, int flags) {
    char old[PATH_MAX], new[PATH_MAX];
    int is_ours = names(a, from, old) & names(b, target, new);
    if (!is_ours) return REAL(linkat)(a, from, b, target, flags);
    RECORDED(int, REAL(linkat)(a, from, b, target, flags), put('L', 0, 0, old, new, NULL, 0));
}
int link(const char *from, const char *target) { return linkat(AT_FDCWD, from, AT_FDCWD, target, 0); }

int unlinkat(int folder, const char *path, int flags) {
    char full[PATH_MAX];
    if (!names(folder, path, full)) return REAL(unlinkat)(folder, path, flags);
    RECORDED(int, REAL(unlinkat)(folder, path, flags), put(flags & AT_REMOVEDIR ? 'D' : 'U', 0, 0, full, NULL, NULL, 0));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
