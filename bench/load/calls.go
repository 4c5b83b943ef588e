package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var ok = append([]byte(fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n", payload)), answer...)

// api answers every GET with 1 KiB and keeps the connection, as an HTTP API does.
func api(arguments []string) error {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	certificate := flags.String("tls", "", "PEM file (leaf and key)")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return overTLS(*certificate, keep)
}

func keep(accepted net.Conn) {
	defer accepted.Close()
	buffer, got := make([]byte, 8192), 0
	for {
		n, err := accepted.Read(buffer[got:])
		if err != nil {
			return
		}
		got += n
		// One request at a time: nobody here pipelines.
		if bytes.HasSuffix(buffer[:got], []byte("\r\n\r\n")) {
			if _, err := accepted.Write(ok); err != nil {
				return
			}
			got = 0
		}
	}
}

// calling is an order for calls.
type calling struct {
	run
	Secure bool   `json:"secure"` // TLS to the target, whose name is not checked
	Host   string `json:"host"`
	Path   string `json:"path"`
	Body   string `json:"body"`   // what is posted, as JSON; none for a GET
	Bearer string `json:"bearer"` // the key that goes with it
}

// calls asks on connections that are kept, one order after another.
func calls([]string) error {
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	answers := json.NewEncoder(os.Stdout)
	for {
		var order calling
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(order.execute()); err != nil {
			return err
		}
	}
}

func (c calling) execute() result {
	var lock sync.Mutex
	var all []float64
	var first error
	var group sync.WaitGroup
	began := time.Now()
	end := began.Add(time.Duration(c.Seconds * float64(time.Second)))
	for range c.Concurrency {
		group.Add(1)
		go func() {
			defer group.Done()
			times, err := c.loop(end)
			lock.Lock()
			defer lock.Unlock()
			all = append(all, times...)
			if err != nil && first == nil {
				first = err
			}
		}()
	}
	group.Wait()
	return summary(all, began, first)
}

func (c calling) loop(end time.Time) ([]float64, error) {
	var dialled net.Conn
	dialled, err := net.DialTimeout("tcp", c.Target, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer dialled.Close()
	if c.Secure {
		dialled = tls.Client(dialled, &tls.Config{InsecureSkipVerify: true, ServerName: c.Host})
	}
	reader := bufio.NewReader(dialled)
	request := []byte("GET " + c.Path + " HTTP/1.1\r\nHost: " + c.Host + "\r\nAccept: */*\r\n\r\n")
	ask := ask
	if c.Body != "" {
		request = c.post()
		ask = posted
	}
	// The first one opens what is kept from then on, on every hop.
	if err := ask(dialled, reader, request); err != nil {
		return nil, err
	}
	var times []float64
	var gap time.Duration
	if c.Rate > 0 {
		gap = time.Duration(float64(time.Second) / c.Rate)
	}
	for next := time.Now(); next.Before(end) && time.Now().Before(end); next = next.Add(gap) {
		if c.Rate > 0 {
			time.Sleep(time.Until(next))
		}
		began := time.Now()
		if err := ask(dialled, reader, request); err != nil {
			return times, err
		}
		times = append(times, millis(began))
	}
	return times, nil
}

func (c calling) post() []byte {
	return []byte(fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		c.Path, c.Host, c.Bearer, len(c.Body), c.Body))
}

func ask(dialled net.Conn, reader *bufio.Reader, request []byte) error {
	dialled.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := dialled.Write(request); err != nil {
		return err
	}
	text := textproto.NewReader(reader)
	line, err := text.ReadLine()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 200") {
		return fmt.Errorf("answered %q", line)
	}
	header, err := text.ReadMIMEHeader()
	if err != nil {
		return err
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return err
	}
	_, err = reader.Discard(length)
	return err
}
