package portolan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"

	"portolan/clients/go/gatewayv1"
	"portolan/clients/go/internal/fake"
)

// layer has two and a half chunks, no two alike.
var layer = []byte(strings.Repeat("1", fake.Chunk) + strings.Repeat("2", fake.Chunk) + strings.Repeat("3", fake.Chunk/2))

func descriptorOf(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func fetcherOf(t *testing.T, gateway *fake.Gateway) remotes.Fetcher {
	t.Helper()
	fetcher, err := connect(t, gateway).Fetcher(t.Context(), alpine)
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

func TestFetch(t *testing.T) {
	var gateway fake.Gateway
	fetcher := fetcherOf(t, &gateway)
	for _, content := range [][]byte{layer, layer[:1], {}} {
		gateway.Put("", ocispec.MediaTypeImageLayer, content)
		reader, err := fetcher.Fetch(t.Context(), descriptorOf(ocispec.MediaTypeImageLayer, content))
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(reader, content); err != nil {
			t.Errorf("%d bytes: %v", len(content), err)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFetchAsksForTheRepository(t *testing.T) {
	var asked *gatewayv1.FetchRequest
	gateway := fake.Gateway{OnFetch: func(request *gatewayv1.FetchRequest, _ fake.FetchStream) error {
		asked = request
		return fake.Failure(codes.PermissionDenied, "no", &gatewayv1.Problem{Code: "denied"})
	}}
	desc := descriptorOf(ocispec.MediaTypeImageLayer, layer)
	if _, err := fetcherOf(t, &gateway).Fetch(t.Context(), desc); !errdefs.IsPermissionDenied(err) {
		t.Errorf("what is refused: %v", err)
	}
	if asked.GetRepository() != "docker.io/library/alpine" || asked.GetDescriptor_().String() != write(desc).String() {
		t.Errorf("asked for %v", asked)
	}
}

func TestFetchByDigest(t *testing.T) {
	var gateway fake.Gateway
	gateway.Put("", "", layer)
	fetcher := fetcherOf(t, &gateway).(remotes.FetcherByDigest)
	for _, test := range []struct {
		opts      []remotes.FetchByDigestOpts
		mediaType string
	}{
		{nil, "application/octet-stream"},
		{[]remotes.FetchByDigestOpts{remotes.WithMediaType("text/plain")}, "text/plain"},
	} {
		reader, desc, err := fetcher.FetchByDigest(t.Context(), digest.FromBytes(layer), test.opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		if got, want := write(desc), write(descriptorOf(test.mediaType, layer)); got.String() != want.String() {
			t.Errorf("%v, not %v", got, want)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, layer) {
			t.Errorf("read %d bytes: %v", len(got), err)
		}
	}
	if _, _, err := fetcher.FetchByDigest(t.Context(), digest.FromString("nothing")); !errdefs.IsNotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
}

// What is not all of the content must never look like its end, and must not be kept by containerd.
func TestFetchGoesWrong(t *testing.T) {
	desc := descriptorOf(ocispec.MediaTypeImageLayer, layer)
	head := write(desc)
	other := digest.FromString("other").String()
	mismatch := fake.Failure(codes.DataLoss, "other bytes", &gatewayv1.Problem{Code: "digest-mismatch"})
	send := func(head *gatewayv1.Descriptor, content []byte, end error) func(fake.FetchStream) error {
		return func(stream fake.FetchStream) error {
			if err := fake.SendHead(stream, head); err != nil {
				return err
			}
			if err := fake.SendChunks(stream, content); err != nil {
				return err
			}
			return end
		}
	}
	for _, test := range []struct {
		what  string
		fetch func(fake.FetchStream) error
		err   error
		read  int
	}{
		{"nothing at all", func(fake.FetchStream) error { return nil }, io.ErrUnexpectedEOF, 0},
		{"only a head", send(head, nil, nil), io.ErrUnexpectedEOF, 0},
		{"cut short", send(head, layer[:fake.Chunk+1], nil), io.ErrUnexpectedEOF, fake.Chunk + 1},
		{"one byte short", send(head, layer[:len(layer)-1], nil), io.ErrUnexpectedEOF, len(layer) - 1},
		{"refused under way", send(head, layer[:fake.Chunk], mismatch), errdefs.ErrDataLoss, fake.Chunk},
		{"refused at the end", send(head, layer, mismatch), errdefs.ErrDataLoss, len(layer)},
		{"too much", send(head, slices.Concat(layer, layer[:fake.Chunk]), nil), errdefs.ErrDataLoss, 2 * fake.Chunk},
		{"another size", send(&gatewayv1.Descriptor{Digest: head.Digest, Size: 1}, layer[:1], nil), errdefs.ErrDataLoss, 0},
		{"another digest", send(&gatewayv1.Descriptor{Digest: other, Size: head.Size}, layer, nil), errdefs.ErrDataLoss, 0},
		{"no head", func(stream fake.FetchStream) error { return fake.SendChunks(stream, layer) }, errdefs.ErrDataLoss, 0},
		{"two heads", func(stream fake.FetchStream) error {
			fake.SendHead(stream, head)
			return fake.SendHead(stream, head)
		}, errdefs.ErrDataLoss, 0},
	} {
		t.Run(test.what, func(t *testing.T) {
			gateway := fake.Gateway{OnFetch: func(_ *gatewayv1.FetchRequest, stream fake.FetchStream) error {
				return test.fetch(stream)
			}}
			fetcher := fetcherOf(t, &gateway)
			var got []byte
			reader, err := fetcher.Fetch(t.Context(), desc)
			if err == nil {
				defer reader.Close()
				got, err = io.ReadAll(reader)
				if _, again := reader.Read(make([]byte, 1)); again != err {
					t.Errorf("first %v, then %v", err, again)
				}
			}
			if !errors.Is(err, test.err) {
				t.Errorf("%v, not %v", err, test.err)
			}
			if len(got) != test.read || !bytes.Equal(got, layer[:test.read]) {
				t.Errorf("read %d bytes, not the first %d", len(got), test.read)
			}

			store, err := local.NewStore(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := remotes.Fetch(t.Context(), store, fetcher, desc); err == nil {
				t.Error("containerd was content with it")
			}
			if _, err := store.Info(t.Context(), desc.Digest); !errdefs.IsNotFound(err) {
				t.Errorf("containerd kept it: %v", err)
			}
		})
	}
}

func TestFetchCanceled(t *testing.T) {
	desc := descriptorOf(ocispec.MediaTypeImageLayer, layer)
	for what, end := range map[string]func(cancel context.CancelFunc, reader io.Closer){
		"the context":  func(cancel context.CancelFunc, _ io.Closer) { cancel() },
		"by its close": func(_ context.CancelFunc, reader io.Closer) { reader.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			gone := make(chan struct{})
			gateway := fake.Gateway{OnFetch: func(_ *gatewayv1.FetchRequest, stream fake.FetchStream) error {
				fake.SendHead(stream, write(desc))
				fake.SendChunks(stream, layer[:1])
				<-stream.Context().Done()
				close(gone)
				return nil
			}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			reader, err := fetcherOf(t, &gateway).Fetch(ctx, desc)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(reader, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			end(cancel, reader)
			if _, err := io.ReadAll(reader); !errors.Is(err, context.Canceled) {
				t.Errorf("read after that: %v", err)
			}
			<-gone
		})
	}
}
