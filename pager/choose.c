/* SPDX-License-Identifier: BSD-2-Clause */
/* The policies that there are, and what words mean. */
#include "policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define X(name) extern const struct policy policy_##name;
#include "policy/all.h"
#undef X
#define X(name) &policy_##name,
const struct policy *const policies[] = {
#include "policy/all.h"
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

/* ---- What words mean ------------------------------------------------------------------------------------------------------- */
struct policy_wrong policy_wrong;

static __attribute__((format(printf, 1, 2))) bool refuse(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(policy_wrong.text, sizeof policy_wrong.text, format, list);
  va_end(list);
  return false;
}

/* More than that is behind what a policy is given, and somebody else's. */
static bool fits(const struct policy *policy) {
  const struct {
    const char *name;
    size_t bytes, most;
  } declared[] = {{"process_bytes", policy->process_bytes, POLICY_PROCESS},
                  {"state_bytes", policy->state_bytes, POLICY_STATE},
                  {"note_bytes", policy->note_bytes, POLICY_EACH},
                  {"each_bytes", policy->each_bytes, POLICY_EACH},
                  {"note_bytes + each_bytes", policy->note_bytes + policy->each_bytes, POLICY_EACH}};
  for (unsigned i = 0; i < sizeof declared / sizeof *declared; i++)
    if (declared[i].bytes > declared[i].most)
      return refuse("'%s' cannot be used: it declares %s of %zu, and %zu is the most", policy->name, declared[i].name,
                    declared[i].bytes, declared[i].most);
  return true;
}

/* What stands behind the name and its comma, and is so long. */
static bool read_option(const char *from, size_t length, struct policy_choice *choice) {
  char text[32] = "";
  if (length >= sizeof text)
    return false;
  return policy_option(choice->policy, memcpy(text, from, length), choice->options);
}

/* One of several, so long. */
static bool choose_one(const char *word, size_t length, struct policy_choice *choice) {
  size_t name = strcspn(word, ",+"), comma = name < length;
  const struct policy *const *found = policies;
  while (*found && (!(*found)->name || strncmp((*found)->name, word, name) || (*found)->name[name]))
    found++;
  const struct policy *policy = *found;
  *choice = (struct policy_choice){.policy = policy};
  policy_wrong.unknown = !policy;
  if (!policy)
    return refuse("'%.*s' is no policy", (int)name, word);
  if (!fits(policy))
    return false;
  if (policy->option ? read_option(word + name + comma, length - name - comma, choice) : !comma)
    return true;
  return refuse("the option of '%.*s' is not understood: write %s", (int)length, word,
                policy->usage ? policy->usage : "it as its file says");
}

/* One that has no hook at all is the null policy of fetching, demand. */
static bool add(struct policy_set *set, const struct policy_choice *choice) {
  const struct policy *policy = choice->policy;
  bool other = policy->victims || policy->budget || policy->admit || policy->pressure;
  const struct {
    bool its;
    struct policy_choice *choice;
    const char *what;
  } tasks[] = {{policy->fault || policy->made || policy->advice || !other, &set->fetch, "what comes"},
               {policy->victims, &set->replace, "what goes"},
               {policy->budget, &set->allocate, "how much a program may have"},
               {policy->admit, &set->admit, "which programs may begin"},
               {policy->pressure, &set->press, "who gives way"}};
  for (unsigned i = 0; i < sizeof tasks / sizeof *tasks; i++) {
    if (tasks[i].its && tasks[i].choice->policy)
      return refuse("'%s' and '%s' both say %s: write one of them", tasks[i].choice->policy->name, policy->name,
                    tasks[i].what);
    if (tasks[i].its)
      *tasks[i].choice = *choice;
  }
  return true;
}

bool policy_choose(const char *words, struct policy_set *set) {
  *set = (struct policy_set){.words = words};
  for (const char *word = words;; word++) {
    struct policy_choice choice;
    size_t length = strcspn(word, "+");
    if (!choose_one(word, length, &choice) || !add(set, &choice))
      return false;
    word += length;
    if (!*word)
      break;
  }
  if (!set->fetch.policy)
    set->fetch.policy = &policy_demand;
  return true;
}
