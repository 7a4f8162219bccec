// Package fake is a gateway in memory, for tests.
package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portolan/clients/go/gatewayv1"
)

// Chunk is how many bytes of content are sent in one message.
const Chunk = 1 << 20

type (
	// FetchStream is where the bytes of a fetch go.
	FetchStream = grpc.ServerStreamingServer[gatewayv1.FetchResponse]
	// PushStream is where the bytes of a push come from.
	PushStream = grpc.ClientStreamingServer[gatewayv1.PushRequest, gatewayv1.PushResponse]
)

// Push is one that was stored.
type Push struct {
	Repository, Name, MediaType string
	Digest                      digest.Digest
	// Bytes of each chunk.
	Chunks []int
}

// Gateway keeps the content of all repositories in one place.
type Gateway struct {
	gatewayv1.UnimplementedGatewayServer

	// Asked instead of this gateway's own behaviour, where they are set.
	OnResolve func(*gatewayv1.ResolveRequest) (*gatewayv1.ResolveResponse, error)
	OnFetch   func(*gatewayv1.FetchRequest, FetchStream) error
	OnPush    func(PushStream) error

	mu      sync.Mutex
	content map[digest.Digest]content
	tags    map[string]digest.Digest
	pushes  []Push
	ended   []error
}

type content struct {
	mediaType string
	bytes     []byte
}

// Serve starts a gateway for the length of a test, and returns its address.
func (g *Gateway) Serve(t testing.TB, options ...grpc.ServerOption) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g.ServeAt(t, listener, options...)
	return "unix:" + path
}

// ServeAt is Serve with a listener of the caller's.
func (g *Gateway) ServeAt(t testing.TB, listener net.Listener, options ...grpc.ServerOption) {
	server := grpc.NewServer(options...)
	gatewayv1.RegisterGatewayServer(server, g)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
}

// Put stores content, and gives it a name such as `docker.io/library/alpine:3` if name is not empty.
func (g *Gateway) Put(name, mediaType string, bytes []byte) *gatewayv1.Descriptor {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.content == nil {
		g.content, g.tags = map[digest.Digest]content{}, map[string]digest.Digest{}
	}
	dgst := digest.FromBytes(bytes)
	g.content[dgst] = content{mediaType, bytes}
	if name != "" {
		g.tags[name] = dgst
	}
	return &gatewayv1.Descriptor{MediaType: mediaType, Digest: dgst.String(), Size: int64(len(bytes))}
}

// Pushes are those that were stored, in order.
func (g *Gateway) Pushes() []Push {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Push(nil), g.pushes...)
}

// Tagged is what a name means now; empty for nothing.
func (g *Gateway) Tagged(name string) digest.Digest {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tags[name]
}

// Failure is an error as the gateway tells it.
func Failure(code codes.Code, message string, problem *gatewayv1.Problem) error {
	answer, err := status.New(code, message).WithDetails(problem)
	if err != nil {
		panic(err)
	}
	return answer.Err()
}

func missing(what string) error {
	return Failure(codes.NotFound, what+" is not there", &gatewayv1.Problem{Code: "not-found", Reference: what})
}

func (g *Gateway) find(text string) (*gatewayv1.Descriptor, []byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	dgst := g.tags[text]
	if _, pinned, ok := strings.Cut(text, "@"); ok {
		dgst = digest.Digest(pinned)
	}
	found, ok := g.content[dgst]
	if !ok {
		return nil, nil, missing(text)
	}
	told := &gatewayv1.Descriptor{MediaType: found.mediaType, Digest: dgst.String(), Size: int64(len(found.bytes))}
	return told, found.bytes, nil
}

// Resolve is the gateway's.
func (g *Gateway) Resolve(
	_ context.Context, request *gatewayv1.ResolveRequest,
) (*gatewayv1.ResolveResponse, error) {
	if g.OnResolve != nil {
		return g.OnResolve(request)
	}
	root, _, err := g.find(request.GetReference())
	if err != nil {
		return nil, err
	}
	return &gatewayv1.ResolveResponse{Root: root}, nil
}

// Fetch is the gateway's, without parts.
func (g *Gateway) Fetch(request *gatewayv1.FetchRequest, stream FetchStream) error {
	if g.OnFetch != nil {
		return g.OnFetch(request, stream)
	}
	wanted := request.GetDescriptor_()
	found, bytes, err := g.find(request.GetRepository() + "@" + wanted.GetDigest())
	if err != nil {
		return err
	}
	if wanted.GetMediaType() != "" {
		found.MediaType = wanted.GetMediaType()
	}
	if err := SendHead(stream, found); err != nil {
		return err
	}
	return SendChunks(stream, bytes)
}

// SendHead sends the first message of a fetch.
func SendHead(stream FetchStream, head *gatewayv1.Descriptor) error {
	return stream.Send(&gatewayv1.FetchResponse{Part: &gatewayv1.FetchResponse_Descriptor_{Descriptor_: head}})
}

// SendChunks sends what follows.
func SendChunks(stream FetchStream, bytes []byte) error {
	for len(bytes) > 0 {
		n := min(len(bytes), Chunk)
		part := &gatewayv1.FetchResponse_Chunk{Chunk: bytes[:n]}
		if err := stream.Send(&gatewayv1.FetchResponse{Part: part}); err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}

// Push is the gateway's.
func (g *Gateway) Push(stream PushStream) error {
	if g.OnPush != nil {
		return g.OnPush(stream)
	}
	err := g.push(stream)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = append(g.ended, err)
	return err
}

// Ended are the ends of all pushes, the good ones among them.
func (g *Gateway) Ended() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]error(nil), g.ended...)
}

func (g *Gateway) push(stream PushStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	wanted := start.GetDescriptor_()
	push := Push{
		Repository: start.GetRepository(), Name: start.GetName(),
		MediaType: wanted.GetMediaType(), Digest: digest.Digest(wanted.GetDigest()),
	}
	var all bytes.Buffer
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		push.Chunks = append(push.Chunks, len(message.GetChunk()))
		all.Write(message.GetChunk())
	}
	if got := digest.FromBytes(all.Bytes()); got != push.Digest || int64(all.Len()) != wanted.GetSize() {
		message := fmt.Sprintf("%d bytes of %s came for %d of %s", all.Len(), got, wanted.GetSize(), push.Digest)
		return Failure(codes.DataLoss, message, &gatewayv1.Problem{Code: "digest-mismatch", Reference: push.Digest.String()})
	}
	if push.Name != "" && !images.IsManifestType(push.MediaType) && !images.IsIndexType(push.MediaType) {
		return Failure(codes.InvalidArgument, "a blob has no name", &gatewayv1.Problem{Code: "invalid-reference"})
	}
	name := ""
	if push.Name != "" {
		name = push.Repository + ":" + push.Name
	}
	_, _, err = g.find("@" + push.Digest.String())
	g.Put(name, push.MediaType, all.Bytes())
	g.mu.Lock()
	g.pushes = append(g.pushes, push)
	g.mu.Unlock()
	return stream.SendAndClose(&gatewayv1.PushResponse{Created: err != nil})
}
