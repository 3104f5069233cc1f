package authority

import "syscall"

// yield lets another process have this processor. The kernel does not take it from
// a busy thread for one that was just woken before the thread has had its slice of
// some milliseconds: while tokens are being signed on every processor, a database
// on the same machine would wait that long to begin to write, and again when its
// disk has flushed, and the tokens would wait with it. So it is called where a
// group was sent to the database, and between the long computations of a token.
// The system call costs half a microsecond, and cannot fail.
func yield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
