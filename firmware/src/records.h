// Words of the record stream, from the ring of the board to RECORDS messages. While no message can
// be sent, the ring fills and the controller waits. This is the flow control.
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>
#include <stdint.h>

void records_poll(void);
bool records_waiting(void);        // words wait in the ring …
bool records_hold(uint32_t words); // … and at least so many
void records_drop(void);           // discards them
// Takes `count` words out of the stream; false: there are fewer
bool records_take(uint32_t *words, uint32_t count);
// A message that the host did not request can be sent: it leaves room for answers
bool records_have_room(void);
bool records_full(void);                // new words may have to wait for room in the ring
uint32_t records_end(void);             // number of the next word
uint32_t records_word(uint32_t number); // one of the most recent words, sent or not

#endif // RECORDS_H
