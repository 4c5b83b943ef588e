package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"syscall"
	"time"
)

// run is one order, read as a JSON line.
type run struct {
	Target      string  `json:"target"`      // host:port to dial: a proxy, or the stub itself
	Seconds     float64 `json:"seconds"`     // how long
	Concurrency int     `json:"concurrency"` // closed loops side by side; one when there is a rate
	Rate        float64 `json:"rate"`        // requests per second; 0 is as fast as it goes
}

// result is its answer, written as a JSON line.
type result struct {
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	Error    string  `json:"error"`
	Seconds  float64 `json:"seconds"`
	P50ms    float64 `json:"p50ms"`
	P99ms    float64 `json:"p99ms"`
}

// client runs what it reads from standard input, one order after another.
func client(arguments []string) error {
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	authority := flags.String("authority", "", "host:port for the CONNECT")
	hello := flags.String("hello", "", "file with the ClientHello to send")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	first, err := os.ReadFile(*hello)
	if err != nil {
		return err
	}
	// The 1 KiB stands in an application data record, five bytes of which are its header.
	record := append([]byte{0x17, 0x03, 0x03, (payload - 5) >> 8, (payload - 5) & 0xff}, bytes.Repeat([]byte("b"), payload-5)...)
	texts := texts{
		head:   []byte("CONNECT " + *authority + " HTTP/1.1\r\nHost: " + *authority + "\r\n\r\n"),
		flight: append(first, record...),
	}
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	answers := json.NewEncoder(os.Stdout)
	for {
		var order run
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		address, err := net.ResolveTCPAddr("tcp4", order.Target)
		if err != nil {
			return err
		}
		target := &syscall.SockaddrInet4{Port: address.Port}
		copy(target.Addr[:], address.IP.To4())
		if err := answers.Encode(execute(order, target, texts)); err != nil {
			return err
		}
	}
}

// texts is what every request sends: first the head, after its 200 the flight.
type texts struct{ head, flight []byte }

func execute(order run, target *syscall.SockaddrInet4, texts texts) result {
	var times []float64
	var err error
	began := time.Now()
	end := began.Add(time.Duration(order.Seconds * float64(time.Second)))
	if order.Rate > 0 {
		times, err = paced(order, target, texts, end)
	} else {
		times, err = flood(order, target, texts, end)
	}
	return summary(times, began, err)
}

// summary tells of the requests that were answered, by their milliseconds, and of what ended the round early.
func summary(times []float64, began time.Time, err error) result {
	total := result{Requests: len(times), Seconds: time.Since(began).Seconds()}
	if err != nil {
		total.Failed, total.Error = 1, err.Error()
	}
	if len(times) > 0 {
		sort.Float64s(times)
		total.P50ms = times[len(times)/2]
		total.P99ms = times[len(times)*99/100]
	}
	return total
}

// paced asks one request after another on blocking sockets, at a rate.
func paced(order run, target *syscall.SockaddrInet4, texts texts, end time.Time) ([]float64, error) {
	var times []float64
	gap := time.Duration(float64(time.Second) / order.Rate)
	buffer := make([]byte, 4096)
	for next := time.Now(); next.Before(end); next = next.Add(gap) {
		time.Sleep(time.Until(next))
		began := time.Now()
		if err := request(target, texts, buffer); err != nil {
			return times, err
		}
		times = append(times, millis(began))
	}
	return times, nil
}

func request(target *syscall.SockaddrInet4, texts texts, buffer []byte) error {
	socket, err := open(syscall.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.Connect(socket, target); err != nil {
		return err
	}
	talk := &talk{}
	for !talk.done {
		if err := talk.write(socket, texts); err != nil {
			return err
		}
		for waiting := talk.step; talk.step == waiting && !talk.done; {
			if err := talk.read(socket, buffer); err != nil {
				return err
			}
		}
	}
	return nil
}

// flood keeps the given number of requests under way in one epoll loop.
func flood(order run, target *syscall.SockaddrInet4, texts texts, end time.Time) ([]float64, error) {
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(poll)
	times := make([]float64, 0, 1<<16)
	buffer := make([]byte, 4096)
	talks := map[int32]*talk{}
	begin := func() error {
		socket, err := open(syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK)
		if err != nil {
			return err
		}
		if err := syscall.Connect(socket, target); err != nil && err != syscall.EINPROGRESS {
			return err
		}
		talks[int32(socket)] = &talk{began: time.Now()}
		return watch(poll, socket, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
	for range order.Concurrency {
		if err := begin(); err != nil {
			return nil, err
		}
	}
	events := make([]syscall.EpollEvent, 64)
	for len(talks) > 0 {
		count, err := syscall.EpollWait(poll, events, 5000)
		if err != nil && err != syscall.EINTR {
			return times, err
		}
		if count == 0 {
			return times, errors.New("nothing happened for 5 s")
		}
		for _, event := range events[:max(count, 0)] {
			socket, talk := int(event.Fd), talks[event.Fd]
			if err := talk.advance(socket, event.Events, texts, buffer); err != nil {
				return times, err
			}
			if !talk.done {
				continue
			}
			times = append(times, millis(talk.began))
			delete(talks, event.Fd)
			syscall.Close(socket)
			if time.Now().Before(end) {
				if err := begin(); err != nil {
					return times, err
				}
			}
		}
	}
	return times, nil
}

// talk is one request: step 0 has nothing sent, 1 waits for the 200, 2 for the 1 KiB.
type talk struct {
	began time.Time
	step  int
	got   int
	done  bool
}

// advance takes one edge-triggered event.
func (t *talk) advance(socket int, events uint32, texts texts, buffer []byte) error {
	if t.step == 0 && events&syscall.EPOLLOUT != 0 {
		if err := t.write(socket, texts); err != nil {
			return err
		}
	}
	if events&(syscall.EPOLLIN|syscall.EPOLLHUP|syscall.EPOLLERR) == 0 {
		return nil
	}
	before := t.step
	if err := t.read(socket, buffer); err != nil {
		if err == syscall.EAGAIN {
			return nil
		}
		return err
	}
	if before == 1 && t.step == 2 {
		return t.write(socket, texts)
	}
	return nil
}

// write sends what is due: both texts are smaller than a socket's buffer.
func (t *talk) write(socket int, texts texts) error {
	text := texts.head
	if t.step == 2 {
		text = texts.flight
	} else {
		t.step = 1
	}
	_, err := syscall.Write(socket, text)
	return err
}

func (t *talk) read(socket int, buffer []byte) error {
	n, err := syscall.Read(socket, buffer)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("hung up at step %d", t.step)
	}
	if t.step == 2 {
		t.got += n
		t.done = t.got >= payload
		return nil
	}
	if !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 200")) || !bytes.HasSuffix(buffer[:n], []byte("\r\n\r\n")) {
		return fmt.Errorf("refused: %q", buffer[:min(n, 200)])
	}
	t.step = 2
	return nil
}

func open(kind int) (int, error) {
	socket, err := syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return socket, syscall.SetsockoptInt(socket, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

func watch(poll, socket int, events uint32) error {
	event := syscall.EpollEvent{Events: events | 1<<31, Fd: int32(socket)} // EPOLLET
	return syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, socket, &event)
}

func millis(since time.Time) float64 {
	return float64(time.Since(since)) / float64(time.Millisecond)
}
