/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of files: what marks which of them, and setting them. Plain POSIX, see unix.h. */
#include "unix.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>

enum { ACCESS = 1, MODIFIED = 2, CHANGED = 4 };
static struct stat before;

static struct stat status(const char *path) {
  struct stat s = {0};
  CHECK_EQ(stat(path, &s), 0);
  return s;
}

static bool later(struct timespec a, struct timespec b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Linux has its clock for files move every few milliseconds. */
static void look(const char *path) {
  pause_for(20);
  before = status(path);
  pause_for(20);
}

/* Just these have become later. That of an access Linux may leave as it is (relatime, noatime). */
static bool marked(const char *path, int which) {
  struct stat now = status(path);
  int found = (later(now.st_atim, before.st_atim) ? ACCESS : 0) |
              (later(now.st_mtim, before.st_mtim) ? MODIFIED : 0) |
              (later(now.st_ctim, before.st_ctim) ? CHANGED : 0);
#ifdef __linux__
  which &= ~ACCESS;
  found &= ~ACCESS;
#endif
  return found == which;
}

static void content(void) {
  char byte;
  int fd = make_file("file", "text", 4);
  look("file");
  CHECK_EQ(write(fd, "more", 4), 4);
  CHECK(marked("file", MODIFIED | CHANGED));
  look("file");
  CHECK_EQ(read(fd, &byte, 1), 0);
  CHECK(marked("file", ACCESS));
  look("file");
  CHECK_EQ(ftruncate(fd, 2), 0);
  CHECK(marked("file", MODIFIED | CHANGED));
  look("file");
  CHECK_EQ(close(open("file", O_WRONLY | O_TRUNC)), 0);
  CHECK(marked("file", MODIFIED | CHANGED));
  look("file");
  CHECK_EQ(close(open("file", O_RDWR)), 0);
  CHECK(marked("file", 0));
  close(fd);
  CHECK_EQ(unlink("file"), 0);
}

static void names(void) {
  CHECK_EQ(mkdir("d", 0777), 0);
  int fd = make_file("file", "text", 4);
  look("file");
  CHECK_EQ(link("file", "d/other"), 0);
  CHECK(marked("file", CHANGED));
  look("d");
  CHECK_EQ(rename("d/other", "d/new"), 0);
  CHECK(marked("d", MODIFIED | CHANGED));
  look("d");
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_EQ(chmod("d", 0755), 0);
  CHECK(marked("d", CHANGED));
  look("file");
  CHECK_EQ(unlink("d/new"), 0);
  CHECK(marked("file", CHANGED));
  look("d");
  DIR *directory = opendir("d");
  while (readdir(directory))
    ;
  closedir(directory);
  CHECK(marked("d", ACCESS));
  close(fd);
  CHECK_EQ(unlink("file"), 0);
  CHECK_EQ(rmdir("d"), 0);
}

static bool is(struct timespec t, long seconds, long nanoseconds) {
  return t.tv_sec == seconds && t.tv_nsec == nanoseconds;
}

static void setting(void) {
  int fd = make_file("file", "", 0);
  CHECK_EQ(utime("file", &(struct utimbuf){1000000000, 2000000000}), 0);
  struct stat s = status("file");
  CHECK(is(s.st_atim, 1000000000, 0) && is(s.st_mtim, 2000000000, 0));
  CHECK_EQ(utimes("file", (struct timeval[]){{5, 6}, {7, 999999}}), 0);
  s = status("file");
  CHECK(is(s.st_atim, 5, 6000) && is(s.st_mtim, 7, 999999000));
  CHECK_EQ(futimens(fd, (struct timespec[]){{-3, 1}, {0, UTIME_OMIT}}), 0);
  s = status("file");
  CHECK(is(s.st_atim, -3, 1) && is(s.st_mtim, 7, 999999000));
  CHECK_EQ(mkdir("d", 0777), 0);
  int directory = open("d", O_RDONLY | O_DIRECTORY);
  CHECK_EQ(utimensat(directory, "../file", (struct timespec[]){{0, UTIME_OMIT}, {8000000000, 123456789}}, 0), 0);
  close(directory);
  CHECK_EQ(rmdir("d"), 0);
  s = status("file");
  CHECK(is(s.st_atim, -3, 1) && is(s.st_mtim, 8000000000, 123456789));
  look("file");
  CHECK_EQ(futimens(fd, (struct timespec[]){{0, UTIME_OMIT}, {9, 10}}), 0);
  s = status("file");
  CHECK(later(s.st_ctim, before.st_ctim) && is(s.st_mtim, 9, 10));
  struct timeval now;
  gettimeofday(&now, NULL);
  CHECK_EQ(utime("file", NULL), 0);
  s = status("file");
  CHECK(s.st_mtim.tv_sec - now.tv_sec <= 1 && s.st_atim.tv_sec - now.tv_sec <= 1 &&
        s.st_mtim.tv_sec >= now.tv_sec - 1);
  close(fd);
  CHECK_EQ(unlink("file"), 0);
}

static void refused(void) {
  int fd = make_file("file", "", 0);
  look("file");
  FAILS(futimens(fd, (struct timespec[]){{0, 0}, {0, 1000000000}}), EINVAL);
  FAILS(utimes("file", (struct timeval[]){{0, 1000000}, {0, 0}}), EINVAL);
  FAILS(utime("none", NULL), ENOENT);
  FAILS(futimens(99, NULL), EBADF);
#ifndef __linux__ /* where the C library looks at it */
  FAILS(utime("file", (struct utimbuf *)8), EFAULT);
#endif
  CHECK(marked("file", 0));
  close(fd);
  CHECK_EQ(unlink("file"), 0);
}

static const struct test tests[] = {
    {"reading and writing", content},
    {"names", names},
    {"setting them", setting},
    {"setting them wrongly", refused},
};

int main(void) {
  unix_begin("t_times");
  return TAP_RUN("times", tests);
}
