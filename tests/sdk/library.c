/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that libsys has instead of picolibc's: what they give is to be what the build machine's C library gives. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

static void lines(const char *content, int size) {
  char line[32] = "";
  FILE *file = fopen("lines", "w");
  fputs(content, file);
  fclose(file);
  file = fopen("lines", "r");
  printf("%d bytes at a time:", size);
  while (fgets(line, size, file))
    printf(" [%s]", line);
  printf(" %d %d\n", feof(file) != 0, ferror(file));
  fclose(file);
}

static void when(const char *format, const char *text) {
  struct tm t = {.tm_year = -1, .tm_mday = -1};
  const char *rest = strptime(text, format, &t);
  printf("%s of %s:", format, text);
  if (rest)
    printf(" %d-%d-%d %d:%d:%d, before '%s'", t.tm_year, t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, rest);
  putchar('\n');
}

int main(void) {
  lines("one\ntwo", 32);
  lines("one\n\ntwo\n", 32);
  lines("longer than that\nx", 5);
  lines("", 32);
  when("%a %b %d %I:%M:%S %p %Y", "Sun Nov 04 03:02:46 AM 1990");
  when("%p %I", "pm 12");
  when("%p %I", "AM 12");
  when("%p %I", "PM 1");
  when("%A, %d %B %y", "thursday, 7 July 68 rest");
  when("%A%d%h%y", "Fri 7 JUL69");
  when("%C%y", "1805");
  when("%D %T", "12/31/99 23:59:60");
  when("%F%n%R%%", "2024-02-29   7:05%");
  when("%c", "Sat Mar  1 01:02:03 2025");
  when("%e.%m.", " 3. 4.x");
  when("%U %S", "53 7");
  when("%H:%M", "24:00");
  when("%H:%M", "12.00");
  when("%d", "x");
  when("%r", "11:10:09 PM");
  return 0;
}
