/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers: the resident programs that the boot options name, each with an endpoint that is made here and outlives it, and
 * with a handle to the one below and the one above. Knows nothing of what they serve. */
#include "shell.h"

#include <errno.h>
#include <string.h>

#define SERVERS 4
#define STARTS 5               /* one that dies more often than this is broken: the machine is turned off */
#define REGISTERS 0x30000000ul /* where a device's registers appear: below WINDOW, above any image */

struct server {
  char words[128];
  uint64_t bytes;
  q_handle endpoint;
  uint64_t id; /* 0: it does not run */
  unsigned starts;
};
static struct server servers[SERVERS];
static unsigned count;
static bool closing;
static uint64_t closing_status;

bool server_add(const char *words) {
  struct server *server = &servers[count];
  if (count == SERVERS || strlen(words) >= sizeof server->words || !*words)
    return false;
  server->bytes = strlen(words) + 1;
  memcpy(server->words, words, server->bytes);
  for (char *p = server->words; *p; p++)
    if (*p == ':')
      *p = 0;
  count++;
  return true;
}

static bool start(struct server *server) {
  server->starts++;
  int64_t id = process_spawn(&(struct spawn){.text = server->words, .bytes = server->bytes, .server = server});
  server->id = id > 0 ? (uint64_t)id : 0;
  if (id < 0)
    say("cannot start the server '%s': %s", server->words, spawn_error(id));
  return id > 0;
}

bool servers_start(void) {
  for (unsigned i = 0; i < count; i++)
    if (q_endpoint_create(&servers[i].endpoint) < 0)
      return false;
  for (unsigned i = 0; i < count; i++)
    if (!start(&servers[i]))
      return false;
  return true;
}

unsigned servers_count(void) {
  return count;
}

int64_t server_handles(struct space *space, struct server *server) {
  const struct server *below = server > servers ? server - 1 : NULL;
  const struct server *above = server + 1 < servers + count ? server + 1 : NULL;
  int64_t error = give(space, server->endpoint, Q_RIGHT_RECV | Q_RIGHT_SEND | Q_RIGHT_NOTIFY | Q_RIGHT_DUP, 0);
  if (!error)
    error = give(space, below ? below->endpoint : server->endpoint, below ? Q_RIGHT_SEND : 0, 1);
  return error || !above ? error : give(space, above->endpoint, Q_RIGHT_NOTIFY, P_BIT_BELOW);
}

static _Noreturn void off(uint64_t status) {
  for (;;)
    q_machine_off(boot->machine, status);
}

void close_down(uint64_t status) {
  q_handle signal;
  if (!count || !servers[0].id || q_handle_dup(servers[0].endpoint, Q_RIGHT_NOTIFY, P_BIT_CLOSE, &signal) < 0)
    off(status);
  closing = true;
  closing_status = status;
  q_notify(signal, P_BIT_CLOSE);
  q_handle_close(signal);
}

/* Its clients wait at its endpoint, and go on with the next instance. */
void server_ended(struct server *server, const struct p_death *death) {
  server->id = 0;
  if (closing && server == servers)
    off(closing_status);
  if (closing)
    return;
  if (death->reason == P_REASON_EXIT)
    close_down(death->status);
  else if (server->starts == STARTS || !start(server))
    close_down(1);
}

int server_device(struct space *space, uint64_t which, uint64_t *words) {
  const struct q_range *uart = &boot->uart;
  if (!space->server)
    return EPERM;
  if (which || !uart->bytes || uart->base % Q_PAGE_SIZE)
    return ENODEV;
  int error = backend_map(space, REGISTERS, uart->base | Q_PROT_READ | Q_PROT_WRITE | Q_PROT_DEVICE);
  if (error && error != Q_E_EXISTS)
    return ENOMEM;
  words[0] = REGISTERS;
  words[1] = uart->bytes < Q_PAGE_SIZE ? uart->bytes : Q_PAGE_SIZE;
  words[2] = boot->uart_irq;
  return 0;
}
