// Words of the record stream, from the ring of the board to RECORDS messages. While no message can
// be sent, the ring fills and the controller waits. This is the flow control.
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>
#include <stdint.h>

void records_poll(void);
bool records_waiting(void);             // words wait in the ring
void records_drop(void);                // discards them
bool records_full(void);                // new words may have to wait for room in the ring
uint32_t records_end(void);             // number of the next word
uint32_t records_word(uint32_t number); // one of the most recent words, sent or not

#endif // RECORDS_H
