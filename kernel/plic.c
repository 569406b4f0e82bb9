/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of devices (RISC-V PLIC specification 1.0.0): one becomes a notification, and its source stays quiet until
 * the driver acknowledges it. */
#include "kernel.h"

#define PRIORITY(source) (4 * (uint64_t)(source))
#define ENABLE(context, source) (0x2000 + 0x80 * (uint64_t)(context) + (source) / 32 * 4)
#define THRESHOLD(context) (0x200000 + 0x1000 * (uint64_t)(context))
#define CLAIM(context) (THRESHOLD(context) + 4)
#define SOURCES 1024

static struct irq *irqs[SOURCES];
#define LOG 0 /* no source of the controller has this number: here it is the kernel's own log */

static volatile uint32_t *reg(uint64_t offset) {
  return pa_to_va(kernel.plic + offset);
}

bool log_taken(void) {
  return irqs[LOG] && irqs[LOG]->endpoint.type != OBJECT_NONE;
}

void log_interrupt(void) {
  endpoint_signal((struct endpoint *)irqs[LOG]->endpoint.object, irqs[LOG]->bits);
}

void plic_init(void) {
  if (kernel.plic_context < 0)
    return; /* of a machine without a PLIC too */
  *reg(THRESHOLD(kernel.plic_context)) = 0;
  csr_set(sie, SIE_EXTERNAL);
}

static void enable(uint32_t source, bool on) {
  volatile uint32_t *word = reg(ENABLE(kernel.plic_context, source));
  uint32_t bit = 1u << source % 32;
  *word = on ? *word | bit : *word & ~bit;
}

void plic_interrupt(void) {
  uint32_t source = *reg(CLAIM(kernel.plic_context));
  struct irq *irq = source < SOURCES ? irqs[source] : NULL;
  if (!source)
    return; /* another hart was quicker, or it went away */
  if (irq && irq->endpoint.type != OBJECT_NONE) {
    irq->claimed = true;
    endpoint_signal((struct endpoint *)irq->endpoint.object, irq->bits);
    return;
  }
  *reg(CLAIM(kernel.plic_context)) = source; /* only an enabled source can be completed */
  enable(source, false);                     /* nobody listens: it would come again at once */
}

int irq_bind(struct irq *irq, uint64_t source) {
  int64_t last = kernel.plic_context < 0 ? LOG : (int64_t)MIN(kernel.irq_count, SOURCES - 1);
  if (source > (uint64_t)last)
    return Q_E_ARG;
  if (irqs[source])
    return Q_E_BUSY;
  irqs[source] = irq;
  irq->object.type = OBJECT_IRQ;
  irq->source = (uint32_t)source;
  kernel.info.irqs++;
  return 0;
}

/* While its source is still enabled, else the PLIC ignores it. */
static void complete(struct irq *irq) {
  if (irq->claimed)
    *reg(CLAIM(kernel.plic_context)) = irq->source;
  irq->claimed = false;
}

void irq_ack(struct irq *irq) {
  if (irq->source == LOG) {
    if (log_taken() && !log_empty())
      log_interrupt();
    return;
  }
  *reg(PRIORITY(irq->source)) = 1;
  enable(irq->source, true);
  complete(irq);
}

bool irq_destroy(struct irq *irq) {
  irq->object.dying = 1;
  if (!object_void_handles(&irq->object))
    return false;
  complete(irq);
  if (irq->source != LOG)
    enable(irq->source, false);
  ASSERT(irqs[irq->source] == irq);
  irqs[irq->source] = NULL;
  kernel.info.irqs--;
  handle_void(&irq->endpoint);
  memset(irq, 0, sizeof *irq);
  return true;
}
