package hsmtest

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// loopback is the network of a process that was started in a new one
// (network_namespaces(7)): nobody outside reaches what listens there.
type loopback struct{ namespace *os.File }

// openLoopback has the process's loopback interface up.
func openLoopback(pid int) (*loopback, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	l := &loopback{namespace}
	socket, err := l.socket(func(socket int) error {
		interfaceUp, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		interfaceUp.SetUint16(unix.IFF_UP)
		return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, interfaceUp)
	})
	if err != nil {
		namespace.Close()
		return nil, err
	}
	return l, socket.Close()
}

func (l *loopback) close() error { return l.namespace.Close() }

// connect gives a connection to who listens at a port.
func (l *loopback) connect(port int) (*os.File, error) {
	return l.socket(func(socket int) error {
		return unix.Connect(socket, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	})
}

// socket makes a socket that stays in the network, wherever it is used.
func (l *loopback) socket(prepare func(socket int) error) (file *os.File, err error) {
	// The thread goes there and comes back. It must not end instead: what it has
	// started would be killed with it (Pdeathsig).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	if err := unix.Setns(int(l.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the network: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(fmt.Sprint("hsmtest: a thread is lost in another network: ", back))
	}
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	if err := prepare(socket); err != nil {
		unix.Close(socket)
		return nil, err
	}
	return os.NewFile(uintptr(socket), "socket"), nil
}
