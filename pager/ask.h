/* SPDX-License-Identifier: BSD-2-Clause */
/* How hooks of policies are asked. One that has not returned after two seconds is left behind (watch.c): whoever asked it goes on as if
 * it had said nothing, and it is asked no more, nor is anything else of that policy (lost.c). This is of all hooks that are
 * asked under all of the pager's locks. The one hook that is not is asked by answer_asked() (main.c), which can begin anew. */
#ifndef ASK_H
#define ASK_H

#include "policy.h"

extern const struct policy policy_null; /* in place of what is lost: it leaves all choices to the pool */
extern uint64_t asked_hook;             /* the one that is asked, */
/* the stack pointer by which it is left; 0: none is asked. Bit 0 is set by who watches, who sees then whether it is still the
 * same one, */
extern uint64_t asked_sp;
extern uint64_t asked_otherwise; /* and what it returns if it is left */

/* What policies have asked of pages that takes a system call, ever, and of a pool of which size last: who asks a lot takes his time. */
extern uint64_t asked_pages, asked_size;
/* What a policy may call that is not to be left half done. */
extern volatile bool asked_inside; /* it is being done */
extern volatile bool asked_late;   /* and the hook that called it is to be left after it */

/* The policy's hook, which it has, of these arguments. */
#ifdef __riscv
extern char ask_hook[]; /* ask.S: calls asked_hook with just these */
#define ASK(policy, hook, ...)                                                                                       \
  (asked_hook = (uint64_t)(policy)->hook, ((__typeof__((policy)->hook))(uintptr_t)ask_hook)(__VA_ARGS__))
_Noreturn void ask_leave(void); /* the hook that is asked */
#else                           /* the host's tests call it as it is */
#define ASK(policy, hook, ...) (asked_hook = (uint64_t)(uintptr_t)(policy)->hook, (policy)->hook(__VA_ARGS__))
static inline void ask_leave(void) {
}
#endif
#define ASK_OR(otherwise, policy, hook, ...) (asked_otherwise = (otherwise), ASK(policy, hook, __VA_ARGS__))

/* lost.c: in the place of the hook that was left: what it returns. */
uint64_t ask_left(void);
bool policy_is_lost(const struct policy *policy); /* a hook of it was left */
/* Those of the set that are lost are replaced by what asks nobody. */
void policies_mend(struct policy_set *set);
void pools_mend(void);                                                 /* pool.c: the same of all pools */
void backend_lost(const struct policy *policy, const char *hook_name); /* tells people */
#endif
