package main

import (
	"flag"
	"fmt"
	"syscall"
)

// end is one of the two connections of a tunnel.
type end struct {
	socket int
	peer   *end
	due    []byte // what to send as soon as it stands
	gone   bool
}

// relay does what any CONNECT proxy must, and nothing else: accept, read a head, dial the next hop, pass the head and
// its answer on, copy. It decides nothing, checks nothing, logs nothing: the floor for a proxy on this machine.
func relay(arguments []string) error {
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	next := flags.Int("next", 0, "port of the next hop on loopback")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listening, err := listen()
	if err != nil {
		return err
	}
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	if err := watch(poll, listening, syscall.EPOLLIN); err != nil {
		return err
	}
	ends := map[int32]*end{}
	events := make([]syscall.EpollEvent, 64)
	buffer := make([]byte, 64*1024)
	target := &syscall.SockaddrInet4{Port: *next, Addr: [4]byte{127, 0, 0, 1}}
	for {
		count, err := syscall.EpollWait(poll, events, -1)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, event := range events[:max(count, 0)] {
			if event.Fd == int32(listening) {
				for {
					accepted, _, err := syscall.Accept4(listening, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
					if err != nil {
						break
					}
					ends[int32(accepted)] = &end{socket: accepted}
					if err := watch(poll, accepted, syscall.EPOLLIN|syscall.EPOLLRDHUP); err != nil {
						return err
					}
				}
				continue
			}
			found := ends[event.Fd]
			if found == nil || found.gone {
				continue
			}
			if event.Events&syscall.EPOLLOUT != 0 && found.due != nil {
				syscall.Write(found.socket, found.due)
				found.due = nil
			}
			if event.Events&^uint32(syscall.EPOLLOUT) == 0 {
				continue
			}
			n, err := syscall.Read(found.socket, buffer)
			switch {
			case err == syscall.EAGAIN:
			case err != nil || n == 0:
				for _, one := range []*end{found, found.peer} {
					if one != nil && !one.gone {
						one.gone = true
						delete(ends, int32(one.socket))
						syscall.Close(one.socket)
					}
				}
			case found.peer != nil:
				syscall.Write(found.peer.socket, buffer[:n])
			default:
				dialled, err := open(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
				if err != nil {
					return err
				}
				if err := syscall.Connect(dialled, target); err != nil && err != syscall.EINPROGRESS {
					return err
				}
				found.peer = &end{socket: dialled, peer: found, due: append([]byte(nil), buffer[:n]...)}
				ends[int32(dialled)] = found.peer
				if err := watch(poll, dialled, syscall.EPOLLIN|syscall.EPOLLOUT|syscall.EPOLLRDHUP); err != nil {
					return err
				}
			}
		}
	}
}

// listen binds any port of loopback and prints it.
func listen() (int, error) {
	listening, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.Bind(listening, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	if err := syscall.SetsockoptInt(listening, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return 0, err
	}
	if err := syscall.Listen(listening, 1024); err != nil {
		return 0, err
	}
	bound, err := syscall.Getsockname(listening)
	if err != nil {
		return 0, err
	}
	fmt.Println(bound.(*syscall.SockaddrInet4).Port)
	return listening, nil
}
