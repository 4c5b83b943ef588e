package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"syscall"
)

var established = []byte("HTTP/1.1 200 OK\r\n\r\n")
var answer = bytes.Repeat([]byte("a"), payload)

// stub answers every CONNECT with 200, reads the first flight (ClientHello and 1 KiB), and sends 1 KiB.
func stub(arguments []string) error {
	flags := flag.NewFlagSet("stub", flag.ContinueOnError)
	certificate := flags.String("tls", "", "serve TLS with this PEM file (leaf and key)")
	flight := flags.Int("flight", 0, "bytes of the first flight")
	open := flags.Bool("open", false, "be the outside: the flight comes at once, without a CONNECT")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *certificate == "" {
		return plain(*flight, *open)
	}
	return overTLS(*certificate, func(accepted net.Conn) { serve(accepted, *flight) })
}

// overTLS prints the port at which it listens with this PEM file (leaf and key), and gives each connection to handle.
func overTLS(certificate string, handle func(net.Conn)) error {
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		return err
	}
	quiet := net.ListenConfig{KeepAlive: -1}
	listener, err := quiet.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	secure := tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	for {
		accepted, err := secure.Accept()
		if err != nil {
			return err
		}
		go handle(accepted)
	}
}

func serve(accepted net.Conn, flight int) {
	defer accepted.Close()
	buffer := make([]byte, 4096)
	got := 0
	for !bytes.Contains(buffer[:got], []byte("\r\n\r\n")) {
		n, err := accepted.Read(buffer[got:])
		if err != nil {
			return
		}
		got += n
	}
	if _, err := accepted.Write(established); err != nil {
		return
	}
	for left := flight; left > 0; {
		n, err := accepted.Read(buffer)
		if err != nil {
			return
		}
		left -= n
	}
	if _, err := accepted.Write(answer); err != nil {
		return
	}
	accepted.Read(buffer) // The other side hangs up first.
}

// plain is the same in one epoll loop: it must cost less than what it helps to measure.
func plain(flight int, open bool) error {
	first := -1
	if open {
		first = flight
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
	left := map[int32]int{}
	events := make([]syscall.EpollEvent, 64)
	buffer := make([]byte, 4096)
	for {
		count, err := syscall.EpollWait(poll, events, -1)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, event := range events[:max(count, 0)] {
			if event.Fd != int32(listening) {
				talkBack(event.Fd, left, flight, buffer)
				continue
			}
			for {
				accepted, _, err := syscall.Accept4(listening, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
				if err != nil {
					break
				}
				left[int32(accepted)] = first
				if err := watch(poll, accepted, syscall.EPOLLIN); err != nil {
					return err
				}
			}
		}
	}
}

// talkBack takes one event of a connection; `left` is -1 before its head, then what is missing of its flight.
func talkBack(socket int32, left map[int32]int, flight int, buffer []byte) {
	n, err := syscall.Read(int(socket), buffer)
	if err == syscall.EAGAIN {
		return
	}
	if err != nil || n == 0 {
		delete(left, socket)
		syscall.Close(int(socket))
		return
	}
	if left[socket] < 0 {
		// A head of ours fits one segment, so it comes whole.
		left[socket] = flight
		syscall.Write(int(socket), established)
		return
	}
	left[socket] -= n
	if left[socket] == 0 {
		syscall.Write(int(socket), answer)
	}
}
