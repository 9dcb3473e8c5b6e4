// Libraries plays programs that are made with Go libraries for Frame Streams, for the scoreboard of the conformance kit.
//
//	libraries dmachard|dnstap|framestream reader SOCKET FILE
//	libraries dmachard|dnstap|framestream writer SOCKET HEX
//	libraries dmachard|dnstap|framestream file-reader FILE FILE
//
// A reader writes each payload to a Frame Streams file at once, with code of its own, so that only the reading is judged.
// HEX is a file of payloads, one in hexadecimal on each line.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	dmachard "github.com/dmachard/go-framestream"
	dnstap "github.com/dnstap/golang-dnstap"
	framestream "github.com/farsightsec/golang-framestream"
)

var contentType = []byte("protobuf:dnstap.Dnstap")

// output is a Frame Streams file that is never finished.
type output struct {
	sync.Mutex
	file *os.File
}

func create(path string) *output {
	file, err := os.Create(path)
	check(err)
	start := []byte{0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 22}
	_, err = file.Write(append(start, contentType...))
	check(err)
	return &output{file: file}
}

func (o *output) write(payload []byte) {
	o.Lock()
	defer o.Unlock()
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	_, err := o.file.Write(append(frame, payload...))
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "libraries:", err)
		os.Exit(1)
	}
}

func payloads(path string) (found [][]byte) {
	file, err := os.Open(path)
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<28)
	for lines.Scan() {
		payload, err := hex.DecodeString(lines.Text())
		check(err)
		found = append(found, payload)
	}
	check(lines.Err())
	return found
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: libraries LIBRARY ROLE FROM TO")
		os.Exit(2)
	}
	library, from, to := os.Args[1], os.Args[3], os.Args[4]
	switch os.Args[2] {
	case "reader":
		serve(library, from, create(to))
	case "writer":
		conn, err := net.Dial("unix", from)
		check(err)
		write(library, conn, payloads(to))
		check(conn.Close())
	case "file-reader":
		file, err := os.Open(from)
		check(err)
		check(read(library, pipe{file}, false, create(to)))
	}
}

func serve(library string, socket string, out *output) {
	listener, err := net.Listen("unix", socket)
	check(err)
	for {
		conn, err := listener.Accept()
		check(err)
		go func() {
			defer conn.Close()
			if err := read(library, conn, true, out); err != nil {
				fmt.Fprintln(os.Stderr, "libraries:", err)
			}
		}()
	}
}

func read(library string, conn net.Conn, handshake bool, out *output) error {
	switch library {
	case "dmachard":
		fs := dmachard.NewFstrm(bufio.NewReader(conn), bufio.NewWriter(conn), conn, 0, contentType, handshake)
		if err := fs.InitReceiver(); err != nil {
			return err
		}
		found, done := make(chan []byte), make(chan struct{})
		go func() {
			defer close(done)
			for payload := range found {
				out.write(payload)
			}
		}()
		err := fs.ProcessFrame(found)
		close(found)
		<-done
		return end(err)
	case "dnstap":
		input, err := dnstap.NewFrameStreamInput(conn, handshake)
		if err != nil {
			return err
		}
		problem := &problem{}
		input.SetLogger(problem)
		found := make(chan []byte)
		go func() {
			input.ReadInto(found)
			close(found)
		}()
		for payload := range found {
			out.write(payload)
		}
		return problem.err
	}
	reader, err := framestream.NewReader(conn, &framestream.ReaderOptions{
		ContentTypes: [][]byte{contentType}, Bidirectional: handshake,
	})
	if err != nil {
		return err
	}
	buffer := make([]byte, framestream.DEFAULT_MAX_PAYLOAD_SIZE)
	for {
		n, err := reader.ReadFrame(buffer)
		if err != nil {
			return end(err)
		}
		out.write(buffer[:n])
	}
}

// problem keeps what a library logs.
type problem struct{ err error }

func (p *problem) Printf(format string, values ...interface{}) { p.err = fmt.Errorf(format, values...) }

func end(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func write(library string, conn net.Conn, sends [][]byte) {
	if library == "dmachard" {
		fs := dmachard.NewFstrm(bufio.NewReader(conn), bufio.NewWriter(conn), conn, 0, contentType, true)
		check(fs.InitSender())
		for _, payload := range sends {
			frame := &dmachard.Frame{}
			check(frame.Write(payload))
			check(fs.SendFrame(frame))
		}
		check(fs.ResetSender())
		return
	}
	if library == "dnstap" {
		writer, err := dnstap.NewWriter(conn, &dnstap.WriterOptions{Bidirectional: true})
		check(err)
		for _, payload := range sends {
			_, err := writer.WriteFrame(payload)
			check(err)
		}
		check(writer.Close())
		return
	}
	writer, err := framestream.NewWriter(conn, &framestream.WriterOptions{
		ContentTypes: [][]byte{contentType}, Bidirectional: true,
	})
	check(err)
	for _, payload := range sends {
		_, err := writer.WriteFrame(payload)
		check(err)
	}
	check(writer.Close())
}

// pipe is a file for libraries that want a connection.
type pipe struct{ *os.File }

func (pipe) LocalAddr() net.Addr                { return nil }
func (pipe) RemoteAddr() net.Addr               { return nil }
func (pipe) SetDeadline(t time.Time) error      { return nil }
func (pipe) SetReadDeadline(t time.Time) error  { return nil }
func (pipe) SetWriteDeadline(t time.Time) error { return nil }
