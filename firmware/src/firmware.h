// The whole firmware: begun once, then polled for ever.
#ifndef FIRMWARE_H
#define FIRMWARE_H

void firmware_start(void);
void firmware_poll(void);

#endif // FIRMWARE_H
