/* Lets writes to files below a path fail. Preloaded into the program under test; told by the environment:
 *   IO_FAULTS_BELOW  path whose files are meant
 *   IO_FAULTS_LOG    file that gets a letter per call that was meant: `.` let through, `!` failed
 *   IO_FAULTS_NTH    number of the first call that fails, from 1; 0 for none
 *   IO_FAULTS_TIMES  how many calls fail from there on
 *   IO_FAULTS_ERRNO  error that they fail with
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int fails(int fd) {
    const char *below = getenv("IO_FAULTS_BELOW"), *log = getenv("IO_FAULTS_LOG");
    char link[64], path[4096];
    if (!below || !log) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below)) != 0) return 0;
    long call = atomic_fetch_add(&calls, 1) + 1, nth = number("IO_FAULTS_NTH");
    int failing = nth > 0 && call >= nth && call < nth + number("IO_FAULTS_TIMES");
    int to = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (to >= 0) {
        syscall(SYS_write, to, failing ? "!" : ".", 1);
        close(to);
    }
    if (failing) errno = (int)number("IO_FAULTS_ERRNO");
    return failing;
}

#define WRAPPED(result, name, parameters, arguments)                        \
    result name parameters {                                                \
        static result(*original) parameters;                                \
        if (!original) original = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
        return fails(fd) ? -1 : original arguments;                         \
    }

WRAPPED(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRAPPED(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
WRAPPED(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
WRAPPED(int, fsync, (int fd), (fd))
WRAPPED(int, fdatasync, (int fd), (fd))
WRAPPED(int, ftruncate, (int fd, off_t size), (fd, size))
WRAPPED(int, ftruncate64, (int fd, off64_t size), (fd, size))
