// SPDX-License-Identifier: Apache-2.0
// What jemalloc reads when a program starts; MALLOC_CONF in its environment is read after it.
//
// Flows and rules lie all over the heap, so that many looks at them miss the cache of the page
// tables. Where the kernel gives huge pages to those that ask, they are asked for.
const char* malloc_conf = "thp:always";
