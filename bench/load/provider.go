package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// provider answers every POST with one of two texts, by whether it asks for a stream: an API of models that costs little.
// It serves TLS on one port, and on another one what stands before it: whatever CONNECT names leads there, but for
// `-named`, which leads to another port.
func provider(arguments []string) error {
	flags := flag.NewFlagSet("provider", flag.ContinueOnError)
	certificates := flags.String("tls", "", "PEM files (leaf and key), with commas")
	whole := flags.String("whole", "", "file with the answer in JSON")
	stream := flags.String("stream", "", "file with the answer's events")
	named := flags.String("named", "", "host:port that a CONNECT may name besides")
	behind := flags.String("behind", "", "where that one is")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config := &tls.Config{}
	for _, name := range strings.Split(*certificates, ",") {
		pair, err := tls.LoadX509KeyPair(name, name)
		if err != nil {
			return err
		}
		config.Certificates = append(config.Certificates, pair)
	}
	said, err := speech(*whole, *stream)
	if err != nil {
		return err
	}
	near, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	gateway, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(near.Addr().(*net.TCPAddr).Port)
	fmt.Println(gateway.Addr().(*net.TCPAddr).Port)
	go accepting(near, func(accepted net.Conn) { said.keep(tls.Server(accepted, config)) })
	return accepting(gateway, func(accepted net.Conn) {
		buffered := &buffered{accepted, bufio.NewReader(accepted)}
		head, err := http.ReadRequest(buffered.reader)
		if err != nil {
			return
		}
		if _, err := accepted.Write(established); err != nil {
			return
		}
		if head.Host != *named {
			said.keep(tls.Server(buffered, config))
			return
		}
		far, err := net.Dial("tcp", *behind)
		if err != nil {
			return
		}
		defer far.Close()
		go func() {
			io.Copy(far, buffered)
			far.Close()
		}()
		io.Copy(accepted, far)
	})
}

// buffered is a connection of which some was read ahead.
type buffered struct {
	net.Conn
	reader *bufio.Reader
}

func (b *buffered) Read(into []byte) (int, error) { return b.reader.Read(into) }

func accepting(listener net.Listener, serve func(net.Conn)) error {
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer accepted.Close()
			serve(accepted)
		}()
	}
}

// spoken is both answers, the second one event by event.
type spoken struct {
	whole  []byte
	events [][]byte
}

func speech(whole, stream string) (*spoken, error) {
	body, err := os.ReadFile(whole)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", len(body))
	said := &spoken{whole: append([]byte(head), body...)}
	events, err := os.ReadFile(stream)
	if err != nil {
		return nil, err
	}
	said.events = append(said.events, []byte("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"))
	for _, event := range bytes.SplitAfter(events, []byte("\n\n")) {
		if len(event) > 0 {
			said.events = append(said.events, []byte(fmt.Sprintf("%x\r\n%s\r\n", len(event), event)))
		}
	}
	said.events = append(said.events, []byte("0\r\n\r\n"))
	return said, nil
}

func (s *spoken) keep(connected net.Conn) {
	defer connected.Close()
	reader := bufio.NewReader(connected)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(io.LimitReader(request.Body, 64*1024))
		if err != nil {
			return
		}
		// What is larger is no call of a model, and nobody reads it.
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		if err := s.answer(connected, body); err != nil {
			return
		}
	}
}

func (s *spoken) answer(connected net.Conn, body []byte) error {
	if !bytes.Contains(body, []byte(`"stream": true`)) && !bytes.Contains(body, []byte(`"stream":true`)) {
		_, err := connected.Write(s.whole)
		return err
	}
	for _, event := range s.events {
		if _, err := connected.Write(event); err != nil {
			return err
		}
	}
	return nil
}

// posted asks with a body and reads the answer to its end, which must say `usage`.
func posted(dialled net.Conn, reader *bufio.Reader, request []byte) error {
	dialled.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := dialled.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d: %.300s", response.StatusCode, body)
	}
	if !bytes.Contains(body, []byte(`finish_reason`)) {
		return errors.New("the answer has no end")
	}
	return nil
}
