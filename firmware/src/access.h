// Fields and memory windows of the controller: WRITE, READ, LOAD, UNLOAD.
#ifndef ACCESS_H
#define ACCESS_H

#include "handler.h"

handler access_write, access_read, access_load, access_unload;

#endif // ACCESS_H
