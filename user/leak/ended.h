/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of processes that have ended, added up. Of thousands of short lives nobody asks what each of them held: they
 * are put into groups, and a group has for each stack of the same code one sum of all. So nothing is lost, and what is
 * kept depends on how much code there is, not on how many processes have run it.
 */
#pragma once
#include "leak/books.h"

/* Adds what these processes (pid -> a number with BOOKS_GROUP) have in the books to their groups, as of the snapshot that
 * has just been taken, of all ages. Their own stacks are then to be removed: books_remove(). 0 or -ENOMEM: some may have
 * been added, and `oom` of the books says how many were not. */
int books_add_up(struct books *b, const struct hashmap *groups);
/* What the groups still held went with the processes: it has been released. */
void books_give_back(struct books *b);
