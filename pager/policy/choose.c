/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies that there are, and what words mean. */
#include "../policy.h"

#include <string.h>

#define X(name) extern const struct policy policy_##name;
#include "all.h"
#undef X
#define X(name) &policy_##name,
const struct policy *const policies[] = {
#include "all.h"
    NULL};
#undef X

bool policy_number(const char *text, uint64_t least, uint64_t most, uint64_t otherwise, uint64_t *number) {
  *number = *text ? 0 : otherwise;
  if (!*text)
    return true;
  for (; *text >= '0' && *text <= '9' && *number <= most; text++)
    *number = 10 * *number + (uint64_t)(*text - '0');
  return !*text && *number >= least && *number <= most;
}

bool policy_numbers(const char *text, uint64_t least, uint64_t most, uint64_t number[2]) {
  char first[32] = "";
  size_t length = strcspn(text, ",");
  if (length >= sizeof first)
    return false;
  const char *second = text + length + (text[length] == ',');
  return policy_number(memcpy(first, text, length), least, most, number[0], &number[0]) &&
         (!text[length] || *second) && policy_number(second, least, most, number[1], &number[1]);
}

/* One of several, so long. */
static bool choose_one(const char *word, size_t length, struct policy_choice *choice) {
  char text[32] = "";
  size_t name = strcspn(word, ",+");
  const struct policy *const *found = policies;
  while (*found && (strncmp((*found)->name, word, name) || (*found)->name[name]))
    found++;
  *choice = (struct policy_choice){.policy = *found};
  if (!*found || length - name > sizeof text)
    return false;
  if (name < length)
    memcpy(text, word + name + 1, length - name - 1);
  return (*found)->option ? policy_option(*found, text, choice->options) : name == length;
}

/* One that has no hook at all is the null policy of fetching, demand. */
static void add(struct policy_set *set, const struct policy_choice *choice) {
  const struct policy *policy = choice->policy;
  bool other = policy->victims || policy->budget || policy->admit || policy->pressure;
  if (policy->victims)
    set->replace = *choice;
  if (policy->budget)
    set->allocate = *choice;
  if (policy->admit)
    set->admit = *choice;
  if (policy->pressure)
    set->press = *choice;
  if (policy->fault || policy->made || policy->advice || !other)
    set->fetch = *choice;
}

bool policy_choose(const char *words, struct policy_set *set) {
  *set = (struct policy_set){.words = words, .fetch = {.policy = &policy_demand}};
  for (const char *word = words;; word++) {
    struct policy_choice choice;
    size_t length = strcspn(word, "+");
    if (!choose_one(word, length, &choice))
      return false;
    add(set, &choice);
    word += length;
    if (!*word)
      return true;
  }
}
