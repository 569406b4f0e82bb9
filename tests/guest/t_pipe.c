#include "unix.h"
int main(void) {
  return 0;
}
