/* Stands before fdatasync, fsync and msync (LD_PRELOAD) and makes them slow, or fail, as the file named by
 * DURABILITY_CONTROL says at that moment: "delay <ms>", "fail <errno>", or anything else for neither. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Returns 0 to go on, or the errno to fail with. */
static int obey(void) {
  const char *path = getenv("DURABILITY_CONTROL");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return 0;
  char text[64] = "";
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  text[length > 0 ? length : 0] = 0;
  long number = 0;
  if (sscanf(text, "delay %ld", &number) == 1) {
    struct timespec time = {number / 1000, number % 1000 * 1000000};
    while (nanosleep(&time, &time) == -1 && errno == EINTR) {
    }
    return 0;
  }
  return sscanf(text, "fail %ld", &number) == 1 ? (int)number : 0;
}

static int sync_as_told(const char *name, int file) {
  int fault = obey();
  if (fault) {
    errno = fault;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(file);
}

int fdatasync(int file) { return sync_as_told("fdatasync", file); }

int fsync(int file) { return sync_as_told("fsync", file); }

int msync(void *start, size_t length, int flags) {
  int fault = obey();
  if (fault) {
    errno = fault;
    return -1;
  }
  int (*real)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
  return real(start, length, flags);
}
