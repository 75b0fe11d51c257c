/* A disk that loses what was not synced, for any program: LD_PRELOAD it.
 *
 * What the program writes to files under the directory DROP_UNSYNCED stays in this process's memory
 * until fdatasync or fsync of that file; reads and sizes show it meanwhile. A SIGKILL then takes
 * everything unsynced away, as a power cut would (the page cache survives a SIGKILL, this does not).
 *
 *   DROP_UNSYNCED_LIES=1     syncs return 0 and do nothing: a disk, or a program, that lies
 *   DROP_UNSYNCED_LEAK=30    30 % of the blocks written also reach the disk at once, in whatever
 *                            order: the kernel may write back early
 *   DROP_UNSYNCED_DELAY=400  milliseconds that each sync takes
 *   DROP_UNSYNCED_SHORT=30   30 % of the writes take half of what they are given
 *   DROP_UNSYNCED_SEED=1     for LEAK and SHORT
 *
 * Creation, removal and renaming of files take effect at once. An exit that is no kill keeps all.
 * What it cannot do (mapped files, vectored writes) ends the process with a message: never silently.
 */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 512, DESCRIPTORS = 65536 };

/* The contents that the program sees, where they may differ from the disk's. */
struct file {
    dev_t device;
    ino_t inode;
    int removed;
    int dirty;
    int disk;               /* a descriptor of our own, to write through */
    unsigned char *bytes;
    unsigned char *changed; /* one per block */
    off_t size, room;
    struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static struct file *opened[DESCRIPTORS];
static char appends[DESCRIPTORS];
static char directory[PATH_MAX];
static int lies, leak, delay, cuts;
static uint64_t chance = 1;

static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_readv)(int, const struct iovec *, int);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static off_t (*real_lseek)(int, off_t, int);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fstat)(int, struct stat *);
static int (*real_stat)(const char *, struct stat *);
static int (*real_unlink)(const char *);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static int (*real_fallocate)(int, off_t, off_t);

static void give_up(const char *what) {
    dprintf(2, "drop_unsynced: %s\n", what);
    abort();
}

static void *symbol(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) give_up(name);
    return found;
}

__attribute__((constructor)) static void begin(void) {
    if (real_mmap) return;
    *(void **)&real_pread = symbol("pread64");
    *(void **)&real_pwrite = symbol("pwrite64");
    *(void **)&real_read = symbol("read");
    *(void **)&real_write = symbol("write");
    *(void **)&real_readv = symbol("readv");
    *(void **)&real_writev = symbol("writev");
    *(void **)&real_lseek = symbol("lseek64");
    *(void **)&real_open = symbol("open64");
    *(void **)&real_openat = symbol("openat64");
    *(void **)&real_close = symbol("close");
    *(void **)&real_fsync = symbol("fsync");
    *(void **)&real_fdatasync = symbol("fdatasync");
    *(void **)&real_ftruncate = symbol("ftruncate64");
    *(void **)&real_fstat = symbol("fstat64");
    *(void **)&real_stat = symbol("stat64");
    *(void **)&real_unlink = symbol("unlink");
    *(void **)&real_fallocate = symbol("posix_fallocate64");
    const char *text = getenv("DROP_UNSYNCED");
    if (text) snprintf(directory, sizeof directory, "%s/", text);
    lies = (text = getenv("DROP_UNSYNCED_LIES")) ? atoi(text) : 0;
    leak = (text = getenv("DROP_UNSYNCED_LEAK")) ? atoi(text) : 0;
    delay = (text = getenv("DROP_UNSYNCED_DELAY")) ? atoi(text) : 0;
    cuts = (text = getenv("DROP_UNSYNCED_SHORT")) ? atoi(text) : 0;
    chance = (text = getenv("DROP_UNSYNCED_SEED")) ? strtoull(text, 0, 10) * 2 + 1 : 1;
    *(void **)&real_mmap = symbol("mmap64");
}

static int per_cent(int part) {
    chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
    return (int)((chance >> 11) % 100) < part;
}

/* Room for `size` bytes, new ones 0. */
static void make_room(struct file *file, off_t size) {
    if (size <= file->room) return;
    off_t room = file->room ? file->room : 1 << 16;
    while (room < size) room *= 2;
    file->bytes = realloc(file->bytes, (size_t)room);
    file->changed = realloc(file->changed, (size_t)(room / BLOCK));
    if (!file->bytes || !file->changed) give_up("out of memory");
    memset(file->bytes + file->room, 0, (size_t)(room - file->room));
    memset(file->changed + file->room / BLOCK, 0, (size_t)((room - file->room) / BLOCK));
    file->room = room;
}

static void mark(struct file *file, off_t from, off_t to) {
    for (off_t block = from / BLOCK; block * BLOCK < to; block++) file->changed[block] = 1;
    file->dirty = 1;
}

static void write_block(struct file *file, off_t block) {
    off_t at = block * BLOCK, end = at + BLOCK < file->size ? at + BLOCK : file->size;
    while (at < end) {
        ssize_t count = real_pwrite(file->disk, file->bytes + at, (size_t)(end - at), at);
        if (count <= 0) give_up("the real disk does not take a write");
        at += count;
    }
}

static void flush(struct file *file) {
    if (!file->dirty) return;
    for (off_t block = 0; block * BLOCK < file->size; block++)
        if (file->changed[block]) write_block(file, block);
    if (real_ftruncate(file->disk, file->size)) give_up("the real disk does not take a size");
    memset(file->changed, 0, (size_t)(file->room / BLOCK));
    file->dirty = 0;
}

static struct file *find(const struct stat *status) {
    struct file *file = files;
    while (file && (file->removed || file->device != status->st_dev
                    || file->inode != status->st_ino))
        file = file->next;
    return file;
}

/* Remembers a descriptor that was opened for a file under the directory. */
static void track(int descriptor, int flags) {
    if (descriptor < 0 || !*directory) return;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strncmp(path, directory, strlen(directory)) != 0) return;
    if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return; /* rebuilt, never synced */
    struct stat status;
    if (real_fstat(descriptor, &status) || !S_ISREG(status.st_mode)) return;
    if (descriptor >= DESCRIPTORS) give_up("too many descriptors");
    pthread_mutex_lock(&lock);
    struct file *file = find(&status);
    if (!file) {
        file = calloc(1, sizeof *file);
        if (!file) give_up("out of memory");
        file->device = status.st_dev, file->inode = status.st_ino;
        file->disk = real_open(path, O_RDWR | O_CLOEXEC);
        if (file->disk < 0) file->disk = real_open(path, O_RDONLY | O_CLOEXEC);
        if (file->disk < 0) give_up("a file cannot be opened twice");
        make_room(file, status.st_size + 1);
        while (file->size < status.st_size) {
            ssize_t count = real_pread(file->disk, file->bytes + file->size,
                                       (size_t)(status.st_size - file->size), file->size);
            if (count <= 0) give_up("a file cannot be read");
            file->size += count;
        }
        file->next = files, files = file;
    }
    if (flags & O_TRUNC) file->size = 0, memset(file->bytes, 0, (size_t)file->room);
    if (flags & (O_DSYNC | O_SYNC)) give_up("O_SYNC is not simulated");
    opened[descriptor] = file;
    appends[descriptor] = (flags & O_APPEND) != 0;
    pthread_mutex_unlock(&lock);
}

static struct file *tracked(int descriptor) {
    if (!real_mmap) begin();
    return descriptor >= 0 && descriptor < DESCRIPTORS ? opened[descriptor] : NULL;
}

#define OPEN(name, real, parameters, ...)                                     \
    int name parameters {                                                     \
        if (!real_mmap) begin();                                              \
        mode_t mode = 0;                                                      \
        if (flags & (O_CREAT | O_TMPFILE)) {                                  \
            va_list rest;                                                     \
            va_start(rest, flags);                                            \
            mode = va_arg(rest, mode_t);                                      \
            va_end(rest);                                                     \
        }                                                                     \
        int descriptor = real(__VA_ARGS__, flags, mode);                      \
        int saved = errno;                                                    \
        track(descriptor, flags);                                             \
        errno = saved;                                                        \
        return descriptor;                                                    \
    }
OPEN(open, real_open, (const char *path, int flags, ...), path)
OPEN(open64, real_open, (const char *path, int flags, ...), path)
OPEN(openat, real_openat, (int at, const char *path, int flags, ...), at, path)
OPEN(openat64, real_openat, (int at, const char *path, int flags, ...), at, path)

int close(int descriptor) {
    if (tracked(descriptor)) opened[descriptor] = NULL;
    return real_close(descriptor);
}

static ssize_t read_at(struct file *file, void *to, size_t count, off_t at) {
    pthread_mutex_lock(&lock);
    off_t left = file->size - at;
    ssize_t taken = left <= 0 ? 0 : (off_t)count < left ? (ssize_t)count : (ssize_t)left;
    if (taken) memcpy(to, file->bytes + at, (size_t)taken);
    pthread_mutex_unlock(&lock);
    return taken;
}

static ssize_t write_at(struct file *file, const void *from, size_t count, off_t at) {
    pthread_mutex_lock(&lock);
    if (cuts && count > 1 && per_cent(cuts)) count /= 2;
    off_t end = at + (off_t)count, before = file->size;
    make_room(file, end);
    memcpy(file->bytes + at, from, count);
    if (end > file->size) file->size = end;
    mark(file, at < before ? at : before, end);
    for (off_t block = at / BLOCK; leak && block * BLOCK < end; block++)
        if (per_cent(leak)) write_block(file, block);
    pthread_mutex_unlock(&lock);
    return (ssize_t)count;
}

ssize_t pread(int descriptor, void *to, size_t count, off_t at) {
    struct file *file = tracked(descriptor);
    return file ? read_at(file, to, count, at) : real_pread(descriptor, to, count, at);
}
ssize_t pread64(int descriptor, void *to, size_t count, off_t at) {
    return pread(descriptor, to, count, at);
}

ssize_t pwrite(int descriptor, const void *from, size_t count, off_t at) {
    struct file *file = tracked(descriptor);
    return file ? write_at(file, from, count, at) : real_pwrite(descriptor, from, count, at);
}
ssize_t pwrite64(int descriptor, const void *from, size_t count, off_t at) {
    return pwrite(descriptor, from, count, at);
}

off_t lseek(int descriptor, off_t to, int whence) {
    struct file *file = tracked(descriptor);
    if (!file || whence != SEEK_END) return real_lseek(descriptor, to, whence);
    return real_lseek(descriptor, file->size + to, SEEK_SET);
}
off_t lseek64(int descriptor, off_t to, int whence) {
    return lseek(descriptor, to, whence);
}

ssize_t read(int descriptor, void *to, size_t count) {
    struct file *file = tracked(descriptor);
    if (!file) return real_read(descriptor, to, count);
    off_t at = real_lseek(descriptor, 0, SEEK_CUR);
    ssize_t taken = read_at(file, to, count, at);
    real_lseek(descriptor, at + taken, SEEK_SET);
    return taken;
}

ssize_t write(int descriptor, const void *from, size_t count) {
    struct file *file = tracked(descriptor);
    if (!file) return real_write(descriptor, from, count);
    off_t at = appends[descriptor] ? file->size : real_lseek(descriptor, 0, SEEK_CUR);
    ssize_t given = write_at(file, from, count, at);
    real_lseek(descriptor, at + given, SEEK_SET);
    return given;
}

ssize_t readv(int descriptor, const struct iovec *parts, int count) {
    if (tracked(descriptor)) give_up("readv is not simulated");
    return real_readv(descriptor, parts, count);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    if (tracked(descriptor)) give_up("writev is not simulated");
    return real_writev(descriptor, parts, count);
}

int ftruncate(int descriptor, off_t size) {
    struct file *file = tracked(descriptor);
    if (!file) return real_ftruncate(descriptor, size);
    pthread_mutex_lock(&lock);
    make_room(file, size);
    if (size < file->size) memset(file->bytes + size, 0, (size_t)(file->size - size));
    mark(file, size < file->size ? size : file->size, size < file->size ? file->size : size);
    file->size = size;
    pthread_mutex_unlock(&lock);
    return 0;
}
int ftruncate64(int descriptor, off_t size) {
    return ftruncate(descriptor, size);
}

int posix_fallocate(int descriptor, off_t from, off_t count) {
    if (tracked(descriptor)) give_up("posix_fallocate is not simulated");
    return real_fallocate(descriptor, from, count);
}
int posix_fallocate64(int descriptor, off_t from, off_t count) {
    return posix_fallocate(descriptor, from, count);
}

static int synced(struct file *file) {
    if (delay) {
        struct timespec left = {delay / 1000, delay % 1000 * 1000000L};
        while (nanosleep(&left, &left) && errno == EINTR) {}
    }
    if (lies) return 0;
    pthread_mutex_lock(&lock);
    flush(file);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int descriptor) {
    struct file *file = tracked(descriptor);
    return file ? synced(file) : real_fsync(descriptor);
}

int fdatasync(int descriptor) {
    struct file *file = tracked(descriptor);
    return file ? synced(file) : real_fdatasync(descriptor);
}

static void correct(struct stat *status) {
    pthread_mutex_lock(&lock);
    struct file *file = find(status);
    if (file) status->st_size = file->size;
    pthread_mutex_unlock(&lock);
}

int fstat(int descriptor, struct stat *status) {
    if (!real_mmap) begin();
    int result = real_fstat(descriptor, status);
    if (result == 0) correct(status);
    return result;
}
int fstat64(int descriptor, struct stat64 *status) {
    return fstat(descriptor, (struct stat *)status);
}

int stat(const char *path, struct stat *status) {
    if (!real_mmap) begin();
    int result = real_stat(path, status);
    if (result == 0) correct(status);
    return result;
}
int stat64(const char *path, struct stat64 *status) {
    return stat(path, (struct stat *)status);
}

int unlink(const char *path) {
    struct stat status;
    if (!real_mmap) begin();
    int known = real_stat(path, &status) == 0 && S_ISREG(status.st_mode);
    int result = real_unlink(path);
    if (result == 0 && known) {
        pthread_mutex_lock(&lock);
        struct file *file = find(&status);
        if (file) file->removed = 1;
        pthread_mutex_unlock(&lock);
    }
    return result;
}

void *mmap(void *where, size_t count, int protection, int flags, int descriptor, off_t at) {
    if (!real_mmap) begin();
    if (!(flags & MAP_ANONYMOUS) && tracked(descriptor)) give_up("mmap is not simulated");
    return real_mmap(where, count, protection, flags, descriptor, at);
}
void *mmap64(void *where, size_t count, int protection, int flags, int descriptor, off_t at) {
    return mmap(where, count, protection, flags, descriptor, at);
}

__attribute__((destructor)) static void keep_all(void) {
    pthread_mutex_lock(&lock);
    for (struct file *file = files; file; file = file->next) flush(file);
    pthread_mutex_unlock(&lock);
}

void _exit(int status) {
    keep_all();
    syscall(SYS_exit_group, status);
    for (;;) {}
}
