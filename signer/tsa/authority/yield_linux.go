package authority

import "syscall"

// yield lets another process have this processor. The kernel does not take it from
// a busy thread for one that was just woken before the thread has had its slice of
// some milliseconds: while tokens are being signed on every processor, a database
// on the same machine would begin to write that much later. The system call costs a
// microsecond a group, and cannot fail.
func yield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
