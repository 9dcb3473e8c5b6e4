// Peer plays one end of a Frame Streams connection with the Go library, golang-framestream.
//
//	peer -role reader|writer [-mode bidirectional|unidirectional] -listen|-connect ENDPOINT [-content-type TYPE]...
//	     [-cert FILE -key FILE] [-ca FILE] [-timeout DURATION] [-count]
//
// An endpoint is unix:PATH, tcp:HOST:PORT or tls:HOST:PORT. Who listens takes one connection; with port 0, on any port
// that is free. The content types are those offered or taken, the most wanted first.
//
// For TLS, -cert and -key are our own, which who listens needs. -ca has the authorities that the other side's
// certificate must come from; who listens asks for one only if there are some.
//
// A reader prints each payload as a line of hexadecimal digits, or with -count how many there were. A writer sends the
// lines of its standard input so. Standard error says "listening ENDPOINT", where somebody listens, then
// "content type TYPE", quoted and "" for none, when the library has opened the stream, and last what went wrong. The
// exit status is 0 if the stream ended as it should: by STOP, and where both ends talk by FINISH. Else it is 1, and 2
// for flags that do not do.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	framestream "github.com/farsightsec/golang-framestream"
)

// contentTypes are the values of a flag that may be given more than once; nil, which the library takes for any, if not.
type contentTypes [][]byte

func (types *contentTypes) String() string { return fmt.Sprintf("%q", [][]byte(*types)) }

func (types *contentTypes) Set(text string) error {
	*types = append(*types, []byte(text))
	return nil
}

var (
	types      contentTypes
	role       = flag.String("role", "", "reader or writer")
	mode       = flag.String("mode", "bidirectional", "bidirectional or unidirectional")
	listenAt   = flag.String("listen", "", "endpoint to listen on")
	connectTo  = flag.String("connect", "", "endpoint to connect to")
	cert       = flag.String("cert", "", "PEM file of our certificate")
	key        = flag.String("key", "", "PEM file of its key")
	ca         = flag.String("ca", "", "PEM file of the authorities of the other side")
	timeout    = flag.Duration("timeout", 20*time.Second, "how long the handshake, a write and FINISH may take")
	countsOnly = flag.Bool("count", false, "print how many payloads were read, instead of each")
)

var errNoStop = errors.New("the input ended without STOP")

// connection has an end of input that the library does not take for that of the stream, as it does otherwise.
type connection struct{ net.Conn }

func (c connection) Read(buffer []byte) (int, error) {
	n, err := c.Conn.Read(buffer)
	if err == io.EOF {
		err = errNoStop
	}
	if n > 0 {
		err = nil // crypto/tls may say both at once; it says the second again.
	}
	return n, err
}

func main() {
	flag.Var(&types, "content-type", "content type to offer or to take; may be given more than once")
	flag.Parse()
	run := map[string]func(net.Conn) error{"reader": read, "writer": write}[*role]
	known := *mode == "bidirectional" || *mode == "unidirectional"
	if run == nil || !known || (*listenAt == "") == (*connectTo == "") || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	conn, err := open()
	if err == nil {
		err = run(connection{conn})
		if closing := conn.Close(); err == nil && *role == "writer" {
			err = closing
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// open gives the connection, made or accepted.
func open() (net.Conn, error) {
	scheme, address, _ := strings.Cut(*listenAt+*connectTo, ":")
	network := strings.Replace(scheme, "tls", "tcp", 1)
	config, err := tlsConfig(address)
	if err != nil && scheme == "tls" {
		return nil, err
	}
	if *listenAt == "" {
		conn, err := net.DialTimeout(network, address, *timeout)
		if err == nil && scheme == "tls" {
			conn = tls.Client(conn, config)
		}
		return conn, err
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	fmt.Fprintf(os.Stderr, "listening %s:%s\n", scheme, listener.Addr())
	conn, err := listener.Accept()
	if err == nil && scheme == "tls" {
		conn = tls.Server(conn, config)
	}
	return conn, err
}

func tlsConfig(address string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificates", *ca)
		}
		config.RootCAs, config.ClientCAs, config.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	}
	host, _, err := net.SplitHostPort(address)
	config.ServerName = host
	return config, err
}

func read(conn net.Conn) error {
	reader, err := framestream.NewReader(conn, &framestream.ReaderOptions{
		ContentTypes: types, Bidirectional: *mode == "bidirectional", Timeout: *timeout,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "content type %q\n", reader.ContentType())
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	buffer := make([]byte, framestream.DEFAULT_MAX_PAYLOAD_SIZE)
	n, count := 0, 0
	for ; err == nil; count++ {
		if n, err = reader.ReadFrame(buffer); err == nil && !*countsOnly {
			fmt.Fprintf(out, "%x\n", buffer[:n])
		}
	}
	if *countsOnly {
		fmt.Fprintln(out, count-1)
	}
	if err == io.EOF { // STOP: every other end is an errNoStop.
		err = nil
	}
	return err
}

func write(conn net.Conn) error {
	writer, err := framestream.NewWriter(conn, &framestream.WriterOptions{
		ContentTypes: types, Bidirectional: *mode == "bidirectional", Timeout: *timeout,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "content type %q\n", writer.ContentType())
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 2*framestream.DEFAULT_MAX_PAYLOAD_SIZE+2) // and a newline
	for lines.Scan() {
		payload, err := hex.DecodeString(lines.Text())
		if err == nil {
			_, err = writer.WriteFrame(payload)
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return writer.Close()
}
