package portolan

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// mostReceived bounds one message. Chunks have a mebibyte; three documents of an image come in one message.
const mostReceived = 16 << 20

// Option says how a gateway is reached.
type Option func(*settings)

type settings struct {
	tls   *tls.Config
	token string
	more  []grpc.DialOption
}

// WithTLS makes the connection a TLS connection. See [TLSFiles] for a configuration made of files.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls = config }
}

// WithToken shows a bearer token with each call. Without TLS it is shown over a unix socket and to this machine only.
func WithToken(token string) Option {
	return func(s *settings) { s.token = token }
}

// WithDialOptions passes options on to gRPC, after those of this package.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.more = append(s.more, options...) }
}

// Dial makes a connection to the gateway at `unix:PATH` or `HOST:PORT`. It connects when it is first used.
func Dial(address string, options ...Option) (*grpc.ClientConn, error) {
	var s settings
	for _, option := range options {
		option(&s)
	}
	target, private, err := locate(address)
	if err != nil {
		return nil, err
	}
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostReceived)),
	}
	if s.token != "" {
		if s.tls == nil && !private {
			return nil, fmt.Errorf("a token for %s would be sent in the clear: %w", address, errdefs.ErrInvalidArgument)
		}
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(s.token)))
	}
	return grpc.NewClient(target, append(dial, s.more...)...)
}

// locate turns an address into gRPC's, and says whether what is sent there stays on this machine.
func locate(address string) (target string, private bool, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok && path != "" {
		return address, true, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return "", false, fmt.Errorf("%q is neither unix:PATH nor HOST:PORT: %w", address, errdefs.ErrInvalidArgument)
	}
	ip, err := netip.ParseAddr(host)
	return "dns:///" + address, host == "localhost" || err == nil && ip.IsLoopback(), nil
}

// bearer is a token as gRPC wants it. Dial has looked at where it goes.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// TLSFiles reads a TLS configuration from files in PEM: the authority that signed the gateway's certificate, and this
// client's own certificate with its key. An empty authority means the system's; an empty certificate means none is shown.
func TLSFiles(authority, certificate, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in %s: %w", authority, errdefs.ErrInvalidArgument)
		}
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
