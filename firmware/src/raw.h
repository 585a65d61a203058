// Single operations on the array, outside a chain: OPERATE, READ_ROW.
#ifndef RAW_H
#define RAW_H

#include "handler.h"

handler raw_operate, raw_read_row;

#endif // RAW_H
