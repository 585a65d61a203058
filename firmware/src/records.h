// Words of the record stream, from the board's ring to RECORDS messages. When no message can be
// sent the ring fills and the controller waits: that is the flow control.
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>
#include <stdint.h>

void records_poll(void);
bool records_waiting(void);             // words wait in the ring
void records_drop(void);                // throws them away
bool records_full(void);                // words may have to wait for room in the ring
uint32_t records_end(void);             // number of the word that comes next
uint32_t records_word(uint32_t number); // one of the last, sent or not

#endif // RECORDS_H
