package portolan

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"portolan/clients/go/gatewayv1"
	"portolan/clients/go/internal/fake"
)

// guarded lets in who shows the token.
var guarded = grpc.UnaryInterceptor(func(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	shown, _ := metadata.FromIncomingContext(ctx)
	if got := shown.Get("authorization"); len(got) != 1 || got[0] != "Bearer secret" {
		return nil, status.Error(codes.Unauthenticated, "nobody is known by what was shown")
	}
	return handler(ctx, request)
})

func resolve(t *testing.T, address string, options ...Option) error {
	t.Helper()
	conn, err := Dial(address, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _, err = NewResolver(conn).Resolve(t.Context(), alpine)
	return err
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestDialWithToken(t *testing.T) {
	var gateway fake.Gateway
	gateway.Put(alpine, ocispec.MediaTypeImageIndex, []byte("an index"))
	listener := listen(t)
	gateway.ServeAt(t, listener, guarded)
	for _, address := range []string{gateway.Serve(t, guarded), listener.Addr().String()} {
		if err := resolve(t, address, WithToken("secret")); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if err := resolve(t, address, WithToken("other")); !errdefs.IsUnauthorized(err) {
			t.Errorf("%s with another token: %v", address, err)
		}
		if err := resolve(t, address); !errdefs.IsUnauthorized(err) {
			t.Errorf("%s without a token: %v", address, err)
		}
	}
}

func TestDialWithTLS(t *testing.T) {
	folder := t.TempDir()
	certificate, key := issue(t, folder)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	// The one certificate there is: the gateway's, the client's, and the authority's.
	mine, err := TLSFiles(certificate, certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	var gateway fake.Gateway
	gateway.Put(alpine, ocispec.MediaTypeImageIndex, []byte("an index"))
	listener := listen(t)
	gateway.ServeAt(t, listener, guarded, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: mine.RootCAs,
	})))
	address := listener.Addr().String()
	if err := resolve(t, address, WithTLS(mine), WithToken("secret")); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	nobody, err := TLSFiles(certificate, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := resolve(t, address, WithTLS(nobody), WithToken("secret")); !errdefs.IsUnavailable(err) {
		t.Errorf("without a certificate: %v", err)
	}
	strange, err := TLSFiles("", certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := resolve(t, address, WithTLS(strange), WithToken("secret")); !errdefs.IsUnavailable(err) {
		t.Errorf("with a gateway that nobody vouches for: %v", err)
	}
	if _, err := TLSFiles(key, "", ""); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a key for an authority: %v", err)
	}
	for _, files := range [][3]string{{folder + "/none"}, {"", folder + "/none", key}} {
		if _, err := TLSFiles(files[0], files[1], files[2]); !os.IsNotExist(err) {
			t.Errorf("%v: %v", files, err)
		}
	}
}

func TestDialRefuses(t *testing.T) {
	for _, address := range []string{"", "unix:", "gateway", "gateway:", ":5000", "http://gateway:5000"} {
		if _, err := Dial(address); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := Dial("gateway.example:5000", WithToken("secret")); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a token in the clear: %v", err)
	}
	for _, address := range []string{"[::1]:5000", "localhost:5000"} {
		conn, err := Dial(address, WithToken("secret"))
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		conn.Close()
	}
}

// An image's documents come in one message, which may have more than gRPC takes where nothing is said.
func TestDialTakesLargeMessages(t *testing.T) {
	gateway := fake.Gateway{OnResolve: func(*gatewayv1.ResolveRequest) (*gatewayv1.ResolveResponse, error) {
		return &gatewayv1.ResolveResponse{Repository: string(make([]byte, 12<<20)), Root: write(descriptorOf("", nil))}, nil
	}}
	if err := resolve(t, gateway.Serve(t)); err != nil {
		t.Error(err)
	}
}

func TestDialWithDialOptions(t *testing.T) {
	var gateway fake.Gateway
	agents := make(chan []string, 1)
	address := gateway.Serve(t, grpc.UnaryInterceptor(func(
		ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
	) (any, error) {
		shown, _ := metadata.FromIncomingContext(ctx)
		agents <- shown.Get("user-agent")
		return handler(ctx, request)
	}))
	if err := resolve(t, address, WithDialOptions(grpc.WithUserAgent("builder"))); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	if got := <-agents; len(got) != 1 || len(got[0]) < 7 || got[0][:7] != "builder" {
		t.Errorf("%q", got)
	}
}

// issue writes a certificate for 127.0.0.1 that vouches for itself, and its key.
func issue(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", bare)
}
